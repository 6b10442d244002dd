"""A run from its configuration to its tables: plan, work on what is missing, predict, collect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console

from benchmark.atomic import checksum, write_text
from benchmark.backbones import open_backbone
from benchmark.collect import States, collect, states
from benchmark.config import RunConfig, toml_text
from benchmark.disk import Room, check_space, known_checkpoints
from benchmark.environment import PACKAGES, environment, package_version
from benchmark.environment_record import record_environment, record_loss
from benchmark.errors import UserError
from benchmark.estimate.planned import predict_trainings
from benchmark.executors import Job
from benchmark.executors.chosen import Chosen, choose_executor
from benchmark.failures import is_full, is_transient, reason, to_be_tried, tried_again_by
from benchmark.fates import Fates
from benchmark.order import PriorOrder, leaders_first
from benchmark.pictures import write_thumbnails
from benchmark.plan import Cell, check_ready, plan
from benchmark.plan_file import FILE as PLAN
from benchmark.plan_file import (
    is_planned,
    read_keys,
    read_resolved,
    still_planned,
    write_plan,
)
from benchmark.progress import RunProgress
from benchmark.records import read_versioned, write_sealed
from benchmark.run_folder import check_folder, told_if_removed
from benchmark.shards import Shard
from benchmark.store import RUN_VERSION, Run, cell_folder
from benchmark.tracking import Tracking, check_trackers


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    run: Run
    states: States
    """What each planned cell has come to, by its key: see `CellFolder.state`."""
    cells: int
    """How many the run, or its shard, has."""
    failures: Sequence[tuple[str, str]]
    """(the cell's label, why it failed), those of earlier calls included"""
    changed: bool
    """Whether there is something new to report."""
    not_started: int
    """Cells that were to be worked on and were not, since too many had failed or the disk is full.
    """
    no_room: str | None
    """Why the disk had no room for more cells, in one line; None where it had."""
    full: bool
    """Whether the disk was too full for the tables, which are as they were before."""
    again: str
    """What it takes to have the failed cells tried again."""


@dataclass(frozen=True)
class Patience:
    """What a run does about cells that fail."""

    retry: str = "interrupted"
    """Which cells that failed before are worked on: see `failures.to_be_tried`."""
    max_failures: int | None = None
    """After so many failures no more cells start. None: all are worked on."""


PATIENCE = Patience()


class RunInterruptedError(Exception):
    """The run was stopped half way; `done` of `total` cells are on disk."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(f"{done} of {total} cells done")
        self.done = done
        self.total = total


def run_benchmark(
    config: RunConfig,
    path: Path,
    console: Console,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
    shard: Shard | None = None,
    patience: Patience = PATIENCE,
) -> Outcome:
    """Does what is missing of the run in folder `path`. UserError before any work is begun.

    `around` is entered when the folder says what is planned, and left when the work ends. With a
    `shard` only its cells are worked on; the folder's plan is the whole one all the same. Cells
    that failed before and are not tried again count as failures all the same.
    """
    check_folder(path)
    check_trackers(config.tracking.to)
    with console.status("planning") if console.is_terminal else nullcontext():
        resolved = read_resolved(path)
        cells = plan(config, resolved)
        mine = shard.of(cells) if shard else cells
        known = {cell.key: cell_folder(path, cell.key).state() for cell in mine}
        missing = [cell for cell in mine if to_be_tried(known[cell.key], patience.retry)]
        check_ready(missing)
    checkpoints = known_checkpoints(path, cells) if missing else {}
    check_space(path, missing, checkpoints)
    executor = choose_executor(config.execution, idle=not missing)
    room = Room(path, missing, checkpoints, len(executor.devices))
    same = is_planned(path, cells, resolved)
    if replaced := set() if same else read_keys(path) - {cell.key for cell in cells}:
        left = "its finished cells stay on disk, out of the report"
        console.print(f"{path}: another plan of {len(replaced)} other cells; {left}")
    changed, written = describe_run(config, path, cells, resolved)
    fates = Fates(patience.max_failures)
    full = False
    part = f" of shard {shard}" if shard else ""
    line = f"{config.title}: {len(mine)} cells{part}{_before(known.values(), missing)}"
    console.print(line, markup=False, highlight=False)
    with told_if_removed(path):
        if missing:
            try:
                with around(), closing(executor):
                    work_on(config, path, missing, len(mine), executor, console, fates, room)
            except KeyboardInterrupt:
                finished = sum(cell_folder(path, cell.key).done() for cell in mine)
                raise RunInterruptedError(finished, len(mine)) from None
        if not still_planned(path, cells, written):
            raise UserError(f"another run took over {path} meanwhile; give each run its own --out")
        if not missing:
            record_loss(path)
        run = Run.open(path, cells)
        if missing or shard:
            known = states(run)
        try:
            predict_trainings(run, console)
            changed = collect(run) or changed
        except KeyboardInterrupt:
            finished = sum(known[cell.key]["status"] == "done" for cell in mine)
            raise RunInterruptedError(finished, len(mine)) from None
        except OSError as error:
            full = is_full(error)
            if not full:
                raise
    failures, outside = _failures(mine, known, fates)
    return Outcome(
        run=run,
        states=known,
        cells=len(mine),
        failures=failures,
        changed=changed,
        not_started=len(missing) - fates.begun,
        no_room=room.reason,
        full=full,
        again=tried_again_by(len(failures), outside, patience.retry),
    )


def _before(states: Collection[Mapping[str, Any]], missing: Sequence[Cell]) -> str:
    """What is not worked on, in words: `, 3 of them done before, 1 failed before`."""
    done = sum(state["status"] == "done" for state in states)
    failed = len(states) - done - len(missing)
    kept = f", {done} of them done before" if done else ""
    return kept + (f", {failed} failed before and not tried again" if failed else "")


def _failures(
    cells: Sequence[Cell], known: States, fates: Fates
) -> tuple[list[tuple[str, str]], int]:
    """(label, reason) of all failed cells, and how many of them failed from outside."""
    unsaid = {job.key: why for job, why in fates.failures}
    found: list[tuple[str, str]] = []
    outside = 0
    for cell in cells:
        state = known[cell.key]
        if state["status"] == "failed":
            found.append((cell.label, reason(state)))
            outside += is_transient(state["kind_of_failure"])
        elif state["status"] == "pending" and unsaid and cell.key in unsaid:
            # It failed and that could not be written down, as on a full disk.
            found.append((cell.label, unsaid[cell.key]))
            outside += 1
    return found, outside


def describe_run(
    config: RunConfig, path: Path, cells: Sequence[Cell], resolved: dict[str, Any]
) -> tuple[bool, str]:
    """config.toml, plan.json, run.json and the photos' thumbnails.

    Says whether the first or the third changed, and gives the SHA-256 of the second. All of one
    configuration: another run that starts in this moment waits, so that none is left between both.
    """
    text = toml_text(config)
    config_file = path / "config.toml"
    path.mkdir(parents=True, exist_ok=True)
    with FileLock(path / ".describe.lock"):
        changed = not config_file.is_file() or config_file.read_bytes() != text.encode()
        if changed:
            write_text(config_file, text)
        written = write_plan(path, cells, resolved)
        about = {
            "version": RUN_VERSION,
            "title": config.title,
            "config": checksum(config_file),
            "backbone_note": open_backbone(config.backbone).note,
            "versions": {name: package_version(name) for name in PACKAGES},
        }
        if read_versioned(path / "run.json", RUN_VERSION) != about:
            write_sealed(path / "run.json", about)
            changed = True
        write_thumbnails(path, cells)
    return changed, written


def work_on(
    config: RunConfig,
    path: Path,
    missing: Sequence[Cell],
    total: int,
    executor: Chosen,
    console: Console,
    fates: Fates,
    room: Callable[[], bool],
) -> None:
    """Works on the missing cells as long as `fates` and `room` let new ones start."""
    execution = config.execution
    devices = executor.devices
    try:
        asked = (devices[0], execution.threads, len(devices), execution.deterministic)
        batches = {
            "generating": config.generation.batch_size,
            "scoring": config.scoring.batch_size,
        }
        record_environment(path, environment(*asked, batches))
    except OSError as error:
        if not is_full(error):
            raise
        # Another run may have filled the disk just now: cells will say so themselves.
        console.print(f"{path}/environment.json: {error.strerror}", markup=False, highlight=False)
    jobs = make_jobs(config, path, leaders_first(missing), len(devices))
    progress = RunProgress(console, total, total - len(missing), fates)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    tracking = Tracking(config.tracking.to, path, progress, say)
    order = PriorOrder(tracking)

    def busy(job: Job) -> bool:
        return order.put_off(job) or cell_folder(path, job.key).busy()

    with progress, tracking:
        executor.run_jobs(
            jobs,
            devices,
            order,
            busy=busy,
            # Where the folder was removed or moved, what is done now would be found by nobody.
            keep_going=lambda: fates.keep_going() and room() and (path / PLAN).is_file(),
        )


def make_jobs(
    config: RunConfig, path: Path, cells: Sequence[Cell], at_a_time: int = 1
) -> list[Job]:
    """The cells as an executor takes them; what comes of them goes to the folder `path`."""
    execution = config.execution
    return [
        Job(
            key=cell.key,
            label=cell.label,
            run=str(path.resolve()),
            cell=cell.to_json(),
            threads=execution.threads,
            generation_batch=config.generation.batch_size,
            scoring_batch=config.scoring.batch_size,
            timeout=execution.cell_timeout,
            deterministic=execution.deterministic,
            at_a_time=at_a_time,
            attempts=cell_folder(path, cell.key).state()["attempts"],
        )
        for cell in cells
    ]
