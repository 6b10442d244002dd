"""The prediction for one question, remembered until the code that it depends on changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmark.atomic import digest, read_json
from benchmark.cache_folder import remember
from benchmark.errors import UserError
from benchmark.estimate.counts import exact_counts, full_settings
from benchmark.estimate.question import Prediction, Question, RefusedError, with_batch
from benchmark.paths import cache_root
from benchmark.plugins import own_names


def predict(question: Question) -> Prediction:
    """Rehearses the method's training without weights: seconds, and about a gigabyte.

    Raises UserError for unknown names, RefusedError where the method cannot train the backbone, or
    not with the batch asked for.
    """
    from benchmark.estimate.versions import versions

    settings = full_settings(question.method, question.preset, question.settings)
    if settings is None:
        raise UserError(f"{question.method} is a control: it trains nothing to predict")
    about = [
        versions(question.method, question.backbone),
        dataclasses.asdict(question),
        dataclasses.asdict(settings),
    ]
    path = cache_root() / "predictions" / f"{digest(about, 24)}.json"
    known = read_json(path)
    if known is None:
        with _followed(question.method):
            known = dataclasses.asdict(_predict(question, settings))
        remember(path, known)
    return Prediction(**known)


@contextmanager
def _followed(method: str) -> Iterator[None]:
    """Around a method's own code. RefusedError where a package's does not run without weights."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if method in own_names("method"):
            raise
        line = " ".join(f"{type(error).__name__}: {error}".split())
        raise RefusedError(
            f"method {method!r} of an installed package cannot be predicted: its training does "
            f"not run without weights ({line})"
        ) from error


def _predict(question: Question, settings: Any) -> Prediction:
    from torch._subclasses import FakeTensorMode

    from benchmark.estimate.cuda_rules import cuda_autocast
    from benchmark.estimate.live import CUDA_GRANULARITY
    from benchmark.estimate.made_up import made_up_task
    from benchmark.estimate.rehearsal import rehearse
    from benchmark.estimate.weightless import (
        DTYPES,
        converting,
        faking,
        fill,
        pipeline_of_shapes,
        resolution_of,
    )
    from methods import get_method
    from textboost.compute import Compute

    resolution = question.resolution or resolution_of(question.backbone)
    compute = Compute(
        precision=question.precision,
        attention=question.attention,
        optimizer=question.optimizer,
        gradient_checkpointing=question.checkpointing,
        accumulation=question.accumulation,
    )
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    empty = faking(mode)
    pipe = fill(pipeline_of_shapes(question.backbone), question.precision, empty)
    try:
        settings, class_pictures = with_batch(settings, question.batch)
        with converting(empty), cuda_autocast():
            seen = rehearse(
                get_method(question.method),
                pipe,
                made_up_task(resolution, compute),
                settings,
                fake=mode,
                granularity=CUDA_GRANULARITY,
                cached_latents=question.cached_latents,
            )
    except ValueError as error:
        where = f"{question.method} on {question.backbone}"
        raise RefusedError(f"{where} cannot be predicted: {error}") from error
    if question.batch is not None and seen.pictures != question.batch:
        raise RefusedError(
            f"{question.method} shows {seen.pictures} pictures a step where "
            f"{question.batch} were asked for; leave out --batch"
        )
    counts = exact_counts(
        question.method,
        question.backbone,
        question.preset,
        question.settings,
        question.precision,
    )
    vae = next(name for name, dtype in DTYPES.items() if dtype == seen.vae_dtype)
    return Prediction(
        method=question.method,
        preset=question.preset,
        backbone=question.backbone,
        batch=seen.pictures,
        class_pictures=class_pictures,
        resolution=resolution,
        precision=question.precision,
        vae_precision=vae,
        attention=question.attention,
        optimizer=question.optimizer,
        checkpointing=question.checkpointing,
        cached_latents=question.cached_latents,
        trainable_parameters=counts.trainable_parameters,
        checkpoint_bytes=counts.checkpoint_bytes,
        flops=seen.flops,
        flops_per_step=sum(seen.flops.values()),
        peak_bytes=seen.peak_bytes,
        peak_phase=seen.peak_phase,
        peak_split=seen.peak_split,
    )
