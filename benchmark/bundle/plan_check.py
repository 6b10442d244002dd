"""A bundle's plan, cells and configuration against one another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.any_pictures.result import KIND
from benchmark.atomic import checksum, read_json, read_record
from benchmark.bundle import differ
from benchmark.bundle.choice_check import choice_differences
from benchmark.own_photos import set_name
from benchmark.plan import Cell, cell_key
from benchmark.records import seal_holds
from benchmark.store import CELL_VERSION, OUTCOME, Run, told_digest
from benchmark.subjects import PHOTOS

RECORDED = {
    *("version", "key", "status", "kind_of_failure", "message", "attempts"),
    *("stage", "log_tail", "outcome", "artifacts", "flags", "environments", "told", "cell"),
}
"""What cell.json holds."""
SHA256 = re.compile(r"[0-9a-f]{64}")
TRAINED = ("load", "prepare", "train", "save")
"""The stages whose costs checkpoint.json keeps as well."""


def plan_differences(run: Run, files: Mapping[str, bytes]) -> Iterator[str]:
    """Lines that name what does not agree."""
    folders = sorted({name.split("/")[1] for name in files if name.startswith("cells/")})
    planned = {cell.key: cell for cell in run.planned}
    for key in folders:
        if key not in planned:
            yield f"plan.json: no cell has the key {key}, whose folder is there"
        yield from _cell(run, key, planned.get(key))
    if run.config.title != run.about.get("title"):
        yield f"config.toml: title is {run.config.title!r}, run.json's {run.about.get('title')!r}"
    yield from _stated_plan(files)
    yield from _configuration(run)
    if run.about.get("kind") != KIND:
        yield from choice_differences(run.config, run.planned)


def _stated_plan(files: Mapping[str, bytes]) -> Iterator[str]:
    """plan.json holds cells, and nothing that planning looked up."""
    plan = json.loads(files["plan.json"])
    for key in sorted(plan.keys() - {"version", "cells", "resolved"}):
        yield f"plan.json: {key} does not belong there"
    if plan.get("resolved") != {}:
        yield f"plan.json: resolved is {plan.get('resolved')!r}, and a bundle's is empty"


def _cell(run: Run, key: str, planned: Cell | None) -> Iterator[str]:
    where = f"cells/{key}"
    folder = run.path / "cells" / key
    record = read_record(folder / "cell.json")
    stated = record.get("cell") or {}
    if record.get("key") != key:
        yield f"{where}/cell.json: key is {record.get('key')!r}"
    if cell_key(stated) != key:
        odd = _odd(run, key, stated)
        yield f"{where}/cell.json: its cell has the key {cell_key(stated)}: {odd}"
    if planned is not None:
        plain = json.loads(json.dumps(planned.to_json()))
        for line in differ.values(stated, plain):
            yield f"{where}/cell.json: {line} from plan.json"
    for name in sorted(record.keys() - RECORDED):
        yield f"{where}/cell.json: {name} does not belong there"
    if record.get("version") not in range(1, CELL_VERSION + 1):
        knows = f"this one knows 1 to {CELL_VERSION}"
        yield f"{where}/cell.json: version is {record.get('version')!r}, and {knows}"
    if record.get("told", told_digest(record)) != told_digest(record):
        yield f"{where}/cell.json: its flags and environments are not those it was written with"
    if record.get("status") == "done":
        for name in OUTCOME:
            recorded = (record.get("outcome") or {}).get(name)
            found = checksum(folder / name) if (folder / name).is_file() else None
            if recorded != found:
                yield f"{where}/{name} is not the file whose SHA-256 cell.json recorded"
        yield from _checkpoint(folder / "checkpoint.json", read_json(folder / "cost.json"), where)
        trained = read_record(folder / "checkpoint.json").get("environment")
        if trained and trained not in (record.get("environments") or []):
            yield f"{where}/cell.json: environments lack that of its training"


def _odd(run: Run, key: str, stated: Mapping[str, Any]) -> str:
    """The planned cell it resembles, to say what was changed."""
    for cell in run.planned:
        if cell.key == key:
            plain = json.loads(json.dumps(cell.to_json()))
            return "; ".join(differ.values(stated, plain)) or "not as planned"
    return "changed, or of another version"


def _checkpoint(file: Path, costs: Any, where: str) -> Iterator[str]:
    """The costs of the training, which the cell keeps twice, and the shape of the rest."""
    trains = any(cost.get("stage") == "train" for cost in costs or [])
    if not file.is_file():
        if trains:
            yield f"{where}/checkpoint.json is missing, and cost.json has costs of a training"
        return
    record = read_record(file)
    if seal_holds(file) is False:
        yield f"{where}/checkpoint.json: its seal is another record's"
    for name in sorted(record.keys() - {"key", "files", "costs", "environment"}):
        yield f"{where}/checkpoint.json: {name} does not belong there"
    if record.get("key", file.parent.name) != file.parent.name:
        yield f"{where}/checkpoint.json: its key is another cell's"
    sums = record.get("files")
    if not isinstance(sums, dict) or not sums:
        yield f"{where}/checkpoint.json: it names no file of the checkpoint"
    elif not all(SHA256.fullmatch(str(value)) for value in sums.values()):
        yield f"{where}/checkpoint.json: a checksum in it is none"
    found = [cost for cost in costs or [] if cost.get("stage") in TRAINED]
    for line in differ.values(record.get("costs"), found):
        yield f"{where}/checkpoint.json: costs{line} from cost.json"


def _configuration(run: Run) -> Iterator[str]:
    """What config.toml says of pictures and training, against the cells made from it."""
    config = run.config
    presets = {(entry.name, entry.preset): entry for entry in config.methods}
    train_seeds = {cell.train_seed for cell in run.planned}
    if train_seeds != set(config.train_seeds):
        yield f"config.toml: train_seeds are {list(config.train_seeds)}, the cells' {train_seeds}"
    if run.about.get("kind") == KIND:
        # Pictures made elsewhere: the configuration says nothing of how.
        seeds = {seed for cell in run.planned for seed in cell.seeds}
        if seeds != set(config.generation.seeds):
            stated = list(config.generation.seeds)
            yield f"config.toml: generation.seeds are {stated}, the cells' {sorted(seeds)}"
        return
    shared = {
        "protocol_name": config.protocol,
        "backbone": config.backbone,
        "dataset": config.dataset,
        "split": config.split,
        "seeds": list(config.generation.seeds),
        "steps": config.generation.steps,
        "guidance_scale": config.generation.guidance_scale,
        "sampler": config.generation.sampler,
        "prior": config.prior.model_dump(),
        "compute": config.training.model_dump(exclude={"steps", "resolution"}),
    }
    if config.training.resolution is not None:
        shared["resolution"] = config.training.resolution
    told = set()
    for cell in run.planned:
        plain = json.loads(json.dumps(cell.to_json()))
        if config.dataset == PHOTOS:
            known = (cell.subject, cell.class_noun, cell.descriptor, cell.live)
            shared["dataset"] = set_name(*known, cell.seen, cell.unseen)
        lines = list(differ.values(*_both(shared, plain)))
        for name in ("metrics", "image_encoders", "text_encoders"):
            stated, made = list(getattr(config.scoring, name)), list(getattr(cell, name))
            lines += differ.values(stated, made, f"scoring.{name}")
        entry = presets.get((cell.method, cell.preset))
        if entry is not None:
            asked = dict(entry.settings)
            if config.training.steps is not None and "steps" in cell.settings:
                asked.setdefault("steps", config.training.steps)
            used = {name: cell.settings.get(name) for name in asked}
            lines += [f"methods.{entry.name}.{x}" for x in differ.values(asked, used)]
        for line in lines:
            if line not in told:
                told.add(line)
                yield f"config.toml: {line.replace('computed again', 'the cells say')}"


def _both(
    config: Mapping[str, Any], cell: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both speak of: a cell of an earlier version has fewer fields."""
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for name in sorted(config.keys() & cell.keys()):
        ours[name], theirs[name] = config[name], cell[name]
        if isinstance(config[name], dict):
            ours[name], theirs[name] = _both(config[name], cell[name])
    return ours, theirs
