"""A bundle's plan, cells and configuration against one another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.any_pictures.result import KIND
from benchmark.atomic import checksum, read_json, read_record
from benchmark.bundle import differ
from benchmark.plan import Cell, cell_key
from benchmark.store import OUTCOME, Run

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
    yield from _configuration(run)


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
    if record.get("version") != 1:
        yield f"{where}/cell.json: version is {record.get('version')!r}, and this one knows 1"
    if record.get("status") == "done":
        for name in OUTCOME:
            recorded = (record.get("outcome") or {}).get(name)
            found = checksum(folder / name) if (folder / name).is_file() else None
            if recorded != found:
                yield f"{where}/{name} is not the file whose SHA-256 cell.json recorded"
        yield from _checkpoint(folder / "checkpoint.json", read_json(folder / "cost.json"), where)


def _odd(run: Run, key: str, stated: Mapping[str, Any]) -> str:
    """The planned cell it resembles, to say what was changed."""
    for cell in run.planned:
        if cell.key == key:
            plain = json.loads(json.dumps(cell.to_json()))
            return "; ".join(differ.values(stated, plain)) or "not as planned"
    return "changed, or of another version"


def _checkpoint(file: Any, costs: Any, where: str) -> Iterator[str]:
    """The costs of the training, which the cell keeps twice."""
    if not file.is_file():
        return
    stated = read_record(file).get("costs")
    found = [cost for cost in costs or [] if cost.get("stage") in TRAINED]
    for line in differ.values(stated, found):
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
        lines = list(differ.values(*_both(shared, plain)))
        for name in ("metrics", "image_encoders", "text_encoders"):
            stated, made = list(getattr(config.scoring, name)), list(getattr(cell, name))
            lines += differ.values(stated, made, f"scoring.{name}")
        entry = presets.get((cell.method, cell.preset))
        if entry is None:
            lines.append(f"no method {cell.method} with preset {cell.preset}")
        else:
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
