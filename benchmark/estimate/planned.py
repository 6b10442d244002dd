"""What the trainings of a run were predicted to take, kept beside what they were measured to take.

RUN/predictions.json holds one answer for every distinct training of the run, or why there is none:

    {"version": 1, "note": what the figures are,
     "trainings": {id: {"training": ..., "reason": null or why not, "peak_live_bytes": ..., ...}}}

The id is a digest of `training`, which follows from the cell, so that nothing else has to say which
cells an answer is for. Answers are made once, by `tbbench run`; tables are made from the file.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmark.atomic import digest
from benchmark.errors import UserError
from benchmark.estimate.prediction import predict
from benchmark.estimate.question import MEMORY_NOTE, Prediction, Question
from benchmark.plan import Cell, backbone_of
from benchmark.records import read_versioned, seal_holds, write_sealed
from benchmark.store import Run
from textboost.compute import Compute

FILE = "predictions.json"
VERSION = 1
NOTE = (
    f"peak_live_bytes is predicted ({MEMORY_NOTE}; of one subject described in two words, every "
    "picture of the step through the VAE), flops_per_step is analytic"
)
# Measure in costs.parquet -> its unit and kind.
MEASURES = {"peak_live_bytes": ("B", "predicted"), "flops_per_step": ("FLOP", "analytic")}
LONGEST_REASON = 300


def training_of(cell: Cell) -> dict[str, Any]:
    """What a prediction for the cell depends on. The number of steps is not among it: a prediction
    is of one steady step."""
    return {
        "method": cell.method,
        "preset": cell.preset,
        "settings": {name: value for name, value in cell.settings.items() if name != "steps"},
        "code_version": cell.code_version,
        "backbone": cell.backbone,
        "backbone_revision": cell.backbone_revision,
        "resolution": cell.resolution,
        "compute": dict(cell.compute),
    }


def training_id(training: Mapping[str, Any]) -> str:
    """16 hex digits over `training_of`."""
    return digest(training, 16)


def predict_trainings(run: Run, console: Console) -> None:
    """Answers what predictions.json lacks for the cells that have trained. Never fails a run."""
    trainings: dict[str, Cell] = {}
    for cell in run.planned:
        # Written by whoever trained, and by nobody else: no method has to be imported to know.
        if (run.folder(cell.key).path / "checkpoint.json").is_file():
            trainings.setdefault(training_id(training_of(cell)), cell)
    before = read_trainings(run.path)
    missing = [id for id in trainings if id not in before]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        line = f"predicting peak memory and FLOPs of {len(missing)} training{plural}"
        console.print(line, highlight=False)
    known = {id: before[id] for id in trainings if id in before}
    aside = Console(stderr=True)
    plain = not aside.is_terminal  # such as a notebook, where the bar asks for a package
    for id in track(missing, "predicting", console=aside, transient=True, disable=plain):
        known[id] = _answer(trainings[id])
        if reason := known[id]["reason"]:
            line = f"{trainings[id].method} ({trainings[id].preset}): not predicted: {reason}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    content = {
        "version": VERSION,
        "note": NOTE,
        "trainings": {id: known[id] for id in sorted(known)},
    }
    if known and content != read_versioned(run.path / FILE, VERSION):
        write_sealed(run.path / FILE, content)


def read_trainings(run: Path) -> dict[str, dict[str, Any]]:
    """Id -> answer, as `predict_trainings` wrote them; empty for a run without any.

    Also where the file is not as it was written: then they are predicted again. UserError for a
    file of a newer version.
    """
    found = read_versioned(run / FILE, VERSION).get("trainings")
    answers = found if isinstance(found, dict) and seal_holds(run / FILE) is not False else {}
    return {id: answer for id, answer in answers.items() if isinstance(answer, dict)}


def predicted_costs(trainings: Mapping[str, Mapping[str, Any]], cell: Cell) -> list[dict[str, Any]]:
    """Rows of costs.parquet for the cell, without its identity; none where nothing was predicted.

    trainings: see `read_trainings`.
    """
    answer = trainings.get(training_id(training_of(cell)), {}) if trainings else {}
    return [
        {"stage": "train", "measure": name, "value": float(value), "unit": unit, "kind": kind}
        for name, (unit, kind) in MEASURES.items()
        if isinstance(value := answer.get(name), int)
    ]


def contradictions(trainings: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where answers contradict themselves: an id, or a figure that is not the sum of its parts."""
    for id, answer in trainings.items():
        if (found := training_id(answer.get("training") or {})) != id:
            yield f"{id}: its training has the id {found}"
        if answer.get("reason"):
            continue
        for name, parts in (("peak_live_bytes", "peak_split"), ("flops_per_step", "flops")):
            total = sum((answer.get(parts) or {}).values())
            if answer.get(name) != total:
                yield f"{id}: {name} is {answer.get(name)!r}, the sum of {parts} {total}"


def question_of(cell: Cell) -> Question:
    """The question that `tbbench estimate` would be asked. UserError where it cannot be put."""
    compute = Compute(**cell.compute)
    return Question(
        method=cell.method,
        preset=cell.preset,
        backbone=_backbone(cell),
        resolution=cell.resolution,
        precision=compute.precision,
        attention=compute.attention,
        optimizer=compute.optimizer,
        checkpointing=compute.gradient_checkpointing,
        accumulation=compute.accumulation,
        settings=_changed_settings(cell),
    )


def _answer(cell: Cell) -> dict[str, Any]:
    found: Prediction | None = None
    reason = None
    try:
        with warnings.catch_warnings():
            # What the libraries warn of they warned of when the cell trained: it is in its log.
            warnings.simplefilter("ignore")
            found = predict(question_of(cell))
    except Exception as error:
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        reason = (kind + " ".join(str(error).split()))[:LONGEST_REASON]
    answer: dict[str, Any] = {"training": training_of(cell), "reason": reason}
    if found is None:
        return answer
    return answer | {
        "batch": found.batch,
        "class_pictures": found.class_pictures,
        "vae_precision": found.vae_precision,
        "flops": dict(found.flops),
        "flops_per_step": found.flops_per_step,
        "peak_phase": found.peak_phase,
        "peak_split": dict(found.peak_split),
        "peak_live_bytes": found.peak_bytes,
    }


def _backbone(cell: Cell) -> str:
    """The backbone's name where its shapes are known, else the folder with its configurations."""
    from benchmark.estimate.weightless import NAMES

    backbone = backbone_of(cell)
    known = cell.backbone in NAMES or Path(cell.backbone).is_dir()
    return cell.backbone if known else str(backbone.folder)


def _changed_settings(cell: Cell) -> dict[str, Any]:
    """Single fields of the preset, changed; steps apart, which a steady step does not depend on."""
    from benchmark.estimate.counts import full_settings

    preset = full_settings(cell.method, cell.preset, {})
    plain = json.loads(json.dumps(dataclasses.asdict(preset)))
    return {
        name: value
        for name, value in cell.settings.items()
        if name != "steps" and value != plain[name]
    }
