"""Found pictures -> a run directory with their scores."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.any_pictures.cells import UNKNOWN, Work, make_work, score_cell
from benchmark.any_pictures.cells import write_reference_photos as write_photos
from benchmark.any_pictures.find import Found, Request
from benchmark.any_pictures.problems import table, warnings
from benchmark.atomic import read_record, write_text
from benchmark.collect import collect
from benchmark.config import Generation, MethodEntry, RunConfig
from benchmark.environment import PACKAGES, environment, package_version
from benchmark.environment_record import record_environment
from benchmark.errors import UserError, plugin_code
from benchmark.executors.local import choose_devices
from benchmark.failures import reason
from benchmark.plan import scoring_versions
from benchmark.plan_file import read_keys, write_plan
from benchmark.records import read_versioned, write_sealed
from benchmark.run_folder import check_folder
from benchmark.store import RUN_VERSION, Run, cell_folder
from benchmark.torch_environment import record_worker

KIND = "pictures made elsewhere"
"""Marks such a run in its run.json, so that no other run is ever overwritten."""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    run: Run
    failures: Sequence[tuple[str, str]]
    """(the cell's label, why it failed)"""
    changed: bool
    """Whether there is something new to report."""


def score_found(found: Found, request: Request, console: Console) -> Outcome:
    """Scores what was found into a run directory; what is scored there already is kept.

    UserError for a metric, encoder or device that there is not, for photos of the data set that
    are missing, and for a folder that holds something else.
    """
    from benchmark.metrics import PROBES, check_metric, needs

    assert found.batches, "there is something to score"
    path = request.out or Path("runs") / f"score-{_file_name('-'.join(found.methods))}"
    _check_out(path, request.sources)
    config = _config(found, request, path)
    for metric in config.scoring.metrics:
        with plugin_code("metric", metric):
            check_metric(metric, config.scoring.metrics)
            if needs([metric]) & PROBES:
                raise UserError(
                    f"metric {metric!r} asks the trained model for pictures without the subject, "
                    "and there are pictures alone; leave it out here, `tbbench run` can take it"
                )
    work = make_work(found.batches, found.checksums, scoring_versions(config))
    todo = [item for item in work if not cell_folder(path, item.cell.key).done()]
    device = choose_devices(request.device, 1, 1)[0] if todo else ""
    for item in {item.cell.subject: item for item in todo}.values():
        item.batch.target.photos()
    keys = {item.cell.key for item in work}
    if left := read_keys(path) - keys:
        one = len(left) == 1
        cells = "1 cell that was" if one else f"{len(left)} cells that were"
        stay = "is asked for no more stays" if one else "are asked for no more stay"
        console.print(
            f"{path}: {cells} scored here before and {stay} on disk, out of the report; to have "
            "all side by side name them in one command",
            markup=False,
        )
    changed = _describe(path, found, config, work) or bool(left)
    made_with: dict[str, Any] = {}
    if todo:
        console.print(f"{config.title}: {len(todo)} of {len(work)} cells to score", markup=False)
        batches = {"scoring": config.scoring.batch_size}
        made_with = environment(device, 1, 1, batches=batches)
        record_environment(path, made_with)
        record_worker(path, made_with)
    failures = []
    for item in todo:
        if not score_cell(path, item, config.scoring.batch_size, made_with):
            state = cell_folder(path, item.cell.key).state()
            failures.append((item.cell.label, reason(state)))
    if read_keys(path) != keys:
        raise UserError(f"another command took over {path} meanwhile; give each its own --out")
    run = Run.open(path)
    return Outcome(run, failures, collect(run) or changed)


def _check_out(path: Path, sources: Iterable[tuple[Path, str | None]]) -> None:
    """UserError when the folder is one of the sources, or holds anything but scored pictures."""
    check_folder(path)
    if any(path.resolve() == source.resolve() for source, _ in sources):
        raise UserError(f"{path} is what is to be scored; give --out another folder")
    if (path / "config.toml").is_file() and read_record(path / "run.json").get("kind") != KIND:
        raise UserError(f"{path} is a run of another kind; give --out another folder")


def _config(found: Found, request: Request, path: Path) -> RunConfig:
    """The run as a configuration, for the report; it says nothing of how pictures were made."""
    cells = [batch.target.cell for batch in found.batches]
    backbones = list(dict.fromkeys(cell.backbone if cell else UNKNOWN for cell in cells))
    methods = dict.fromkeys(
        (batch.method, cell.preset if cell else UNKNOWN)
        for batch, cell in zip(found.batches, cells, strict=True)
    )
    seeds = {seed for batch in found.batches for _, seed in batch.pictures}
    target = found.batches[0].target
    world = " (toy world)" if target.dataset == "toyworld" else ""
    return RunConfig(
        name=_file_name(path.resolve().name),
        title=f"Pictures made elsewhere: {', '.join(found.methods)}{world}",
        backbone=" and ".join(backbones),
        dataset=target.dataset,
        split=target.split,
        subjects=tuple(dict.fromkeys(batch.target.subject for batch in found.batches)),
        prompts=tuple(dict.fromkeys(id for batch in found.batches for id, _ in batch.pictures)),
        train_seeds=tuple(sorted({cell.train_seed if cell else 0 for cell in cells})),
        methods=tuple(MethodEntry(name=name, preset=preset) for name, preset in methods),
        scoring=request.scoring,
        generation=Generation(seeds=tuple(sorted(seeds))),
    )


def _describe(path: Path, found: Found, config: RunConfig, work: Sequence[Work]) -> bool:
    """config.toml, plan.json, run.json, problems.csv and photos; says whether any changed."""
    import tomli_w

    content = config.model_dump(
        exclude_none=True,
        include={
            *("name", "title", "backbone", "dataset", "split", "subjects", "prompts"),
            *("train_seeds", "methods", "generation", "scoring"),
        },
    )
    content["generation"] = {"seeds": list(config.generation.seeds)}
    texts = {"config.toml": tomli_w.dumps(content), "problems.csv": table(found.problems)}
    about = {
        "version": RUN_VERSION,
        "kind": KIND,
        "title": config.title,
        "config": hashlib.sha256(texts["config.toml"].encode()).hexdigest(),
        "backbone_note": found.backbone_note,
        "warnings": warnings(found.problems, found.pictures),
        "versions": {name: package_version(name) for name in PACKAGES},
    }
    changed = read_versioned(path / "run.json", RUN_VERSION) != about
    if changed:
        write_sealed(path / "run.json", about)
    for name, text in texts.items():
        file = path / name
        if not file.is_file() or file.read_bytes() != text.encode():
            write_text(file, text)
            changed = True
    write_plan(path, [item.cell for item in work], {})
    write_photos(path, work)
    return changed


def _file_name(text: str) -> str:
    """A name for a folder: what is no letter, digit, `.`, `_` or `-` becomes `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60] or "pictures"
