"""The cases beside training: generation, scoring, planning and the report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmark.perf.case import Case, Repeated, Work, traced_peak
from benchmark.perf.small_blank import RESOLUTION
from benchmark.perf.training import METHODS, backbone, photo

PICTURES = 2
PLANNED_CELLS = 10_000
TIMED_CELLS = 1_000


def open_generation(name: str, folder: Path) -> Work:
    """Two steps of sampling for two pictures, with guidance, and their decoding."""
    from benchmark.generate import Sampling, sample

    pipe = backbone(name).load("cpu", "fp32")
    sampling = Sampling(steps=2, guidance_scale=5.0, sampler="dpm++", resolution=RESOLUTION)
    prompts = ["a dog in the jungle", "a dog on the beach"]

    def call() -> object:
        return sample(pipe, prompts, range(PICTURES), sampling)

    return Repeated(call, partial(_network_counts, call))


def open_scoring(folder: Path) -> Work:
    """Four metrics of four pictures on disk by the encoder that comes with the project."""
    import pandas as pd

    from benchmark.metrics import score_images

    names = [f"p{number // 2}-{number % 2}.png" for number in range(4)]
    for number, name in enumerate(names):
        photo(20 + number).save(folder / name)
    rows = pd.DataFrame(
        [
            {"prompt_id": name[:2], "prompt": "a dog in the snow", "seed": int(name[3])}
            | {"image": name}
            for name in names
        ]
    )
    files = [folder / name for name in names]
    seen, unseen = [photo(0)], [photo(1), photo(2), photo(3)]

    def call() -> object:
        return score_images(
            rows,
            files,
            list(rows["prompt"]),
            seen,
            unseen,
            ["fidelity", "alignment", "diversity", "vendi"],
            ["toy-clip"],
            ["toy-clip"],
        )

    return Repeated(call, partial(_network_counts, call))


def _network_counts(call: Callable[[], object]) -> dict[str, int]:
    """Bytes of tensors at the peak and FLOPs of one call."""
    from torch.utils.flop_counter import FlopCounterMode

    from benchmark.estimate.live import LiveBytes

    call()
    with LiveBytes(granularity=1) as live:
        call()
    with FlopCounterMode(display=False) as flops:
        call()
    return {"peak_live_bytes": live.peak, "flops": flops.get_total_flops()}


def open_planning(folder: Path) -> Work:
    """1,000 cells and their keys are timed, 10,000 counted."""
    from benchmark.config import RunConfig
    from benchmark.plan import plan
    from benchmark.subjects import open_dataset

    subjects = open_dataset("toyworld").subject_names()
    methods = [{"name": name, "preset": "toy"} for name in METHODS]
    resolved: dict[str, dict[str, object]] = {}

    def planned(cells: int) -> int:
        seeds = -(-cells // (len(subjects) * len(methods)))
        config = RunConfig.model_validate(
            {"name": "perf", "title": "perf", "methods": methods, "train_seeds": range(seeds)}
        )
        return len({cell.key for cell in plan(config, resolved)[:cells]})

    def counts() -> dict[str, int]:
        found: set[int] = set()
        peak = traced_peak(lambda: found.add(planned(PLANNED_CELLS)))
        return {"peak_python_bytes": peak, "cells": max(found)}

    return Repeated(lambda: planned(TIMED_CELLS), counts)


def open_report(folder: Path) -> Work:
    """`tbbench report` in this process, tables, figures and page, on a made-up run."""
    from typer.testing import CliRunner

    from benchmark.cli import app
    from benchmark.perf.made_up_run import make_run

    run = folder / "run"
    make_run(run)

    def call() -> None:
        result = CliRunner().invoke(app, ["report", str(run)])
        if result.exit_code != 0:
            raise RuntimeError(f"tbbench report failed: {result.exception or result.output}")

    return Repeated(call, lambda: {"peak_python_bytes": traced_peak(call)})


STAGES = [
    Case("generate/toy", partial(open_generation, "toy")),
    Case("generate/blank", partial(open_generation, "blank")),
    Case("score", open_scoring),
    Case("plan", open_planning),
    Case("report", open_report),
]
