"""Several folders of one plan put together: what `tbbench run --shard` did on machines that share
no disk becomes one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.atomic import checksum, copy_file, read_record
from benchmark.collect import collect
from benchmark.config import RunConfig
from benchmark.environment_record import joined, recorded_environment
from benchmark.environment_words import machines
from benchmark.errors import UserError
from benchmark.estimate.planned import FILE as PREDICTIONS
from benchmark.estimate.planned import read_trainings
from benchmark.records import write_sealed
from benchmark.store import CellFolder, Run, cell_folder
from benchmark.transfer import cell_files, put_cell

RECORDS = ("plan.json", "run.json", "config.toml")
"""Of the first folder, in the order in which they are copied: a folder with config.toml is a run.
"""


@dataclass(frozen=True)
class Merged:
    """What the merged folder holds, in cells."""

    run: Run
    copied: int
    done: int
    failed: int
    machines: int
    """Different machines that environment.json knows of."""

    @property
    def missing(self) -> int:
        """How many planned cells are neither done nor failed."""
        return len(self.run.planned) - self.done - self.failed


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Puts the cells of the runs in `sources` into the folder `out`, a new one or one of this plan.

    Done cells come first; a cell that none has done is taken as failed where one has tried. What
    `out` has done stays. Interrupted, the same call goes on. UserError before anything is written
    when the plans differ, or two folders have done one cell with different scores.
    """
    runs = [Run.open(source) for source in sources]
    for source in sources:
        if source.resolve() == out.resolve():
            raise UserError(f"{out} is among the folders to merge; give --out another one")
    begun = (out / "config.toml").is_file()
    if begun:
        runs.insert(0, Run.open(out))
    elif out.is_file() or (out.is_dir() and not _only_records(out)):
        raise UserError(f"{out} exists and is no run; give --out a new folder")
    for other in runs[1:]:
        refuse_other_plan(runs[0], other)
    chosen = {cell.key: _choose(cell.key, runs) for cell in runs[0].planned}
    if not begun:
        for name in RECORDS:
            if (runs[0].path / name).is_file():
                copy_file(runs[0].path / name, out / name)
    # First, so that a merge that goes on does not take its own beginning for a run that lost it.
    machines = _describe(runs, out)
    copied = sum(_copy(key, run, out) for key, run in chosen.items() if run is not None)
    _copy_photos(runs, out)
    merged = Run.open(out)
    collect(merged)
    states = [merged.folder(cell.key).state()["status"] for cell in merged.planned]
    return Merged(merged, copied, states.count("done"), states.count("failed"), machines)


def refuse_other_plan(first: Run, other: Run) -> None:
    """UserError that names what `other` plans differently; where it runs does not count."""
    for key, mine in _outcome_relevant(first.config).items():
        theirs = _outcome_relevant(other.config)[key]
        if mine != theirs:
            raise UserError(
                f"{other.path} is of another run than {first.path}: {key} is {_short(theirs)}, "
                f"not {_short(mine)}; merge folders of one configuration"
            )
    differing = {c.key for c in first.planned} ^ {c.key for c in other.planned}
    if differing:
        raise UserError(
            f"{other.path} and {first.path} plan {len(differing)} different cells from one "
            "configuration: photos, weights or code differ; start both with the same ones"
        )


def _outcome_relevant(config: RunConfig) -> dict[str, Any]:
    """The configuration without what changes no result, one level deep: "training.steps"."""
    flat: dict[str, Any] = {}
    for name, value in config.model_dump(exclude={"name", "title", "execution"}).items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name}.{part}" if part else name: item for part, item in parts}
    batches = ("generation.batch_size", "scoring.batch_size")
    return {name: value for name, value in flat.items() if name not in batches}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _only_records(out: Path) -> bool:
    """Whether `out` is empty, or as a merge leaves it that was interrupted at its beginning."""
    return {path.name for path in out.iterdir() if not path.name.startswith(".")} <= {*RECORDS}


def _choose(key: str, runs: Sequence[Run]) -> Run | None:
    """The run to take the cell from; None where none has come to an end with it.

    The first that has it done, else the one that has tried most often.
    """
    states = [(run, run.folder(key).state()) for run in runs]
    done = [run for run, state in states if state["status"] == "done"]
    for other in done[1:]:
        if _scores(done[0].folder(key)) != _scores(other.folder(key)):
            label = next(cell.label for cell in other.planned if cell.key == key)
            raise UserError(
                f"cell {key} ({label}) is done in {done[0].path} and in {other.path} with "
                f"different scores; leave one of the folders out, or remove cells/{key} from one"
            )
    if done:
        return done[0]
    failed = [(run, state["attempts"]) for run, state in states if state["status"] == "failed"]
    return max(failed, key=lambda pair: pair[1])[0] if failed else None


def _scores(folder: CellFolder) -> str:
    return checksum(folder.path / "scores.parquet")


def _copy(key: str, run: Run, out: Path) -> bool:
    """Copies the cell unless `out` has it done already; says whether it did."""
    if run.path.resolve() == out.resolve():
        return False
    source, target = run.folder(key), cell_folder(out, key)
    with target.lock():
        state = source.state()
        if target.done() or state == target.state():
            return False
        if state["status"] == "failed" and (target.path / "checkpoint.json").is_file():
            return False  # what `out` has begun is worth more than that others failed
        names = cell_files(source.path)
        before = {name: checksum(source.path / name) for name in names}
        _refuse_damage(source, before)
        target.clear()
        put_cell(target, {name: source.path / name for name in names})
        after = {name: checksum(target.path / name) for name in cell_files(target.path)}
        if before != after or target.state()["status"] != state["status"]:
            (target.path / "cell.json").unlink(missing_ok=True)
            raise UserError(
                f"{source.path} changed while it was copied; the same command tries it again"
            )
    return True


def _refuse_damage(source: CellFolder, found: Mapping[str, str]) -> None:
    """UserError when a lasting file of a cell that is done is not as cell.json recorded it."""
    recorded = read_record(source.path / "cell.json").get("artifacts") or {}
    for name, sha in recorded.items():
        if found.get(name) != sha:
            run = source.path.parent.parent
            raise UserError(
                f"{source.path / name} is not as it was written; `tbbench check {run} --repair`, "
                "run what is missing there, and merge again"
            )


def _copy_photos(runs: Sequence[Run], out: Path) -> None:
    """Thumbnails for the report."""
    for run in runs:
        for name in cell_files(run.path / "photos"):
            if not (out / "photos" / name).exists():
                copy_file(run.path / "photos" / name, out / "photos" / name)


def _describe(runs: Sequence[Run], out: Path) -> int:
    """environment.json and predictions.json of all runs; returns how many machines there were."""
    environments = [known for run in runs if (known := recorded_environment(run.path))]
    together = joined(environments)
    if together and read_record(out / "environment.json") != together:
        write_sealed(out / "environment.json", together)
    trainings: dict[str, dict[str, Any]] = {}
    about: Mapping[str, Any] = {}
    for run in runs:
        trainings |= read_trainings(run.path)
        about = about or read_record(run.path / PREDICTIONS)
    if trainings:
        content = {**about, "trainings": {id: trainings[id] for id in sorted(trainings)}}
        if read_record(out / PREDICTIONS) != content:
            write_sealed(out / PREDICTIONS, content)
    return len(machines(together))
