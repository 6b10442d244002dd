"""What a run would take, without its weights, the network or a GPU, and without writing anything.

Parameters, FLOPs and memory are `benchmark.estimate`'s, of one training step. Time is not
predicted: FLOPs do not tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmark.backbones import check_name
from benchmark.backbones.hub import HUB
from benchmark.config import MethodEntry, RunConfig
from benchmark.disk import CONTROLS, size_text
from benchmark.dreambench import FETCH, DreamBench
from benchmark.encoder_sources import source_of
from benchmark.errors import UserError, plugin_code
from benchmark.estimate.ask import Refusal, answer
from benchmark.estimate.ask import as_json as answer_as_json
from benchmark.estimate.question import Prediction, Question
from benchmark.method_settings import method_settings
from benchmark.metrics import metric_names
from benchmark.plan import dataset_of, prompts_of, split_of, subjects_of_run
from benchmark.plugins import refuse_taken
from benchmark.subjects import unknown
from methods import method_names


@dataclass(frozen=True)
class Share:
    """What one method adds. predicted: of one step; None for a control, or where refused."""

    method: str
    preset: str
    cells: int
    pictures: int
    steps: int | None
    predicted: Prediction | None
    refusal: str = ""


Track = Callable[[Sequence[MethodEntry]], Iterable[MethodEntry]]
"""Gives what it is given, and shows how far that has come."""


def shares(config: RunConfig, track: Track = iter) -> list[Share]:
    """One for every method of the run. UserError for any name that does not exist.

    A method's first prediction takes seconds to a minute; it is kept.
    """
    check_name(config.backbone)
    for metric in config.scoring.metrics:
        if metric not in metric_names():
            raise UserError(unknown("metric", metric, metric_names()))
        refuse_taken("metric", metric)
    for entry in config.methods:
        if entry.name not in method_names():
            raise UserError(unknown("method", entry.name, method_names()))
        refuse_taken("method", entry.name)
    dataset = dataset_of(config)
    names = subjects_of_run(config, dataset, split_of(config, dataset))
    lives = [dataset.facts(name.partition("+")[0]).live for name in names]
    prompts = {live: len(prompts_of(config, dataset, live)) for live in set(lives)}
    seeds = len(config.train_seeds)
    pictures = seeds * sum(prompts[live] for live in lives) * len(config.generation.seeds)
    cells = seeds * len(names)
    return [_share(entry, config, cells, pictures) for entry in track(config.methods)]


def _share(entry: MethodEntry, config: RunConfig, cells: int, pictures: int) -> Share:
    if entry.name in CONTROLS:
        return Share(entry.name, entry.preset, cells, pictures, None, None)
    with plugin_code("method", entry.name):
        steps = getattr(method_settings(entry, config.training.steps), "steps", None)
    training = config.training
    try:
        found = answer(
            Question(
                entry.name,
                entry.preset,
                config.backbone,
                resolution=training.resolution,
                precision=training.precision,
                attention=training.attention,
                optimizer=training.optimizer,
                checkpointing=training.gradient_checkpointing,
                accumulation=training.accumulation,
                settings={key: v for key, v in entry.settings.items() if key != "steps"},
            )
        )
    except UserError as error:
        return Share(entry.name, entry.preset, cells, pictures, steps, None, str(error))
    if isinstance(found, Refusal):
        return Share(entry.name, entry.preset, cells, pictures, steps, None, found.reason)
    return Share(entry.name, entry.preset, cells, pictures, steps, found)


def downloads(config: RunConfig) -> Iterator[str]:
    """What the run takes from the hub where the cache has it not, and photos that are not here."""
    if config.dataset == "dreambench" and not DreamBench().there():
        yield f"DreamBench's photos, 110 MB, by `{FETCH}` before the run"
    if config.backbone in HUB:
        model = HUB[config.backbone]
        yield f"{model.title}, {model.repo}"
    for name in dict.fromkeys((*config.scoring.image_encoders, *config.scoring.text_encoders)):
        repo = source_of(name).repo
        if repo:
            yield f"encoder {name}, {repo}"


def as_json(config: RunConfig, found: Sequence[Share]) -> dict[str, Any]:
    """What `show` prints, for machines: bytes and FLOPs; null is what is not predicted."""
    predictions = [one.predicted for one in found if one.predicted is not None]
    sides = [one.resolution for one in predictions[:1]]
    pictures = sum(one.pictures for one in found)
    return {
        "name": config.name,
        "methods": [
            {
                "method": one.method,
                "preset": one.preset,
                "cells": one.cells,
                "pictures": one.pictures,
                "steps": one.steps,
                "step": None if one.predicted is None else answer_as_json(one.predicted),
                "not_predicted": one.refusal or None,
            }
            for one in found
        ],
        "cells": sum(one.cells for one in found),
        "pictures": pictures,
        "peak_bytes": max((one.peak_bytes for one in predictions), default=None),
        "checkpoint_bytes": _checkpoint_bytes(found),
        "picture_bytes_at_most": 3 * sides[0] ** 2 * pictures if sides else None,
        "seconds": None,
        "downloads": list(downloads(config)),
    }


def _checkpoint_bytes(found: Sequence[Share]) -> int:
    return sum(p.checkpoint_bytes * one.cells for one in found if (p := one.predicted))


def flops_text(flops: float) -> str:
    """As `5.8 PFLOPs`, one decimal."""
    for unit, factor in (("PFLOPs", 1e15), ("TFLOPs", 1e12), ("GFLOPs", 1e9)):
        if flops >= factor:
            return f"{flops / factor:,.1f} {unit}"
    return f"{flops / 1e6:,.1f} MFLOPs"


def show(config: RunConfig, found: Sequence[Share], console: Console) -> None:
    """The shares as a table, the sums, and what the figures are."""
    table = Table(box=None, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for title in ("cells", "pictures", "steps", "FLOPs a cell", "peak memory", "a checkpoint"):
        table.add_column(title, justify="right")
    for one in found:
        preset = "" if one.preset == "paper" else f" ({one.preset})"
        row = [escape(one.method + preset), f"{one.cells:,}", f"{one.pictures:,}"]
        known = one.predicted
        if known is None:
            figures = ["not predicted"] * 3 if one.refusal else ["", "", ""]
        else:
            figures = [
                flops_text(known.flops_per_step * one.steps) if one.steps else "not predicted",
                size_text(known.peak_bytes),
                size_text(known.checkpoint_bytes),
            ]
        table.add_row(*row, "" if one.steps is None else f"{one.steps:,}", *figures)
    console.print(table)
    predictions = [one.predicted for one in found if one.predicted is not None]
    cells, pictures = sum(one.cells for one in found), sum(one.pictures for one in found)
    checkpoints = _checkpoint_bytes(found)
    lines = [f"in all: {cells:,} cells, {pictures:,} pictures"]
    if predictions:
        side = predictions[0].resolution
        png = 3 * side * side * pictures
        lines.append(
            f"disk: checkpoints {size_text(checkpoints)} (exact), pictures at most "
            f"{size_text(png)} ({side} px, PNG that does not compress)"
        )
        peak = max(one.peak_bytes for one in predictions)
        lines.append(
            f"memory: {size_text(peak)} on the device (predicted: live tensor bytes, without CUDA "
            "context, workspaces and fragmentation)"
        )
    several = any(one.cells > len(config.train_seeds) for one in found)
    measure = "; measure one subject first" if several else ""
    lines.append(f"time: not predicted, FLOPs do not tell it{measure}")
    lines += [f"not predicted: {one.method}: {one.refusal}" for one in found if one.refusal]
    lines += [f"needed unless it is here: {what}" for what in downloads(config)]
    lines.append("nothing was run or written in the run's folder (--dry-run)")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
