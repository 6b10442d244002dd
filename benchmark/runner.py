"""A run from its configuration to its tables: plan, work on what is missing, predict, collect."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmark.atomic import read_json, write_json, write_text
from benchmark.backbones import open_backbone
from benchmark.collect import collect
from benchmark.config import RunConfig, toml_text
from benchmark.environment import PACKAGES, environment, package_version, record_environment
from benchmark.errors import UserError
from benchmark.estimate.planned import predict_trainings
from benchmark.executors import Job
from benchmark.executors.local import choose_devices, run_jobs
from benchmark.order import PriorOrder, leaders_first
from benchmark.pictures import write_thumbnails
from benchmark.plan import Cell, check_ready, plan
from benchmark.plan_file import read_keys, read_resolved, write_plan
from benchmark.progress import RunProgress
from benchmark.shards import Shard
from benchmark.store import Run, cell_folder


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    run: Run
    cells: int
    """How many the run, or its shard, has."""
    failures: Sequence[tuple[str, str]]
    """(the cell's label, why it failed)"""
    changed: bool
    """Whether there is something new to report."""


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
) -> Outcome:
    """Does what is missing of the run in folder `path`. UserError before any work is begun.

    `around` is entered when the folder says what is planned, and left when the work ends. With a
    `shard` only its cells are worked on; the folder's plan is the whole one all the same.
    """
    check_folder(path)
    resolved = read_resolved(path)
    cells = plan(config, resolved)
    mine = shard.of(cells) if shard else cells
    missing = [cell for cell in mine if not cell_folder(path, cell.key).done()]
    check_ready(missing)
    execution = config.execution
    devices = choose_devices(execution.device, execution.workers, execution.threads)
    if replaced := read_keys(path) - {cell.key for cell in cells}:
        left = "its finished cells stay on disk, out of the report"
        console.print(f"{path}: another plan of {len(replaced)} other cells; {left}")
    changed = describe_run(config, path, cells, resolved)
    failures: list[tuple[str, str]] = []
    if missing:
        done = len(mine) - len(missing)
        kept = f", {done} of them done before" if done else ""
        part = f" of shard {shard}" if shard else ""
        line = f"{config.title}: {len(mine)} cells{part}{kept}"
        console.print(line, markup=False, highlight=False)
        try:
            with around():
                failures = work_on(config, path, missing, len(mine), devices, console)
        except KeyboardInterrupt:
            finished = sum(cell_folder(path, cell.key).done() for cell in mine)
            raise RunInterruptedError(finished, len(mine)) from None
    if read_keys(path) != {cell.key for cell in cells}:
        raise UserError(f"another run took over {path} meanwhile; give each run its own --out")
    run = Run.open(path)
    try:
        predict_trainings(run, console)
    except KeyboardInterrupt:
        raise RunInterruptedError(len(mine) - len(failures), len(mine)) from None
    return Outcome(run, len(mine), failures, collect(run) or changed)


def check_folder(path: Path) -> None:
    """UserError when `path` is something other than a run, a new or an empty folder."""
    if path.is_dir() and any(path.iterdir()) and not (path / "config.toml").is_file():
        raise UserError(f"{path} is a folder without a run; give --out another one")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; give --out a folder")


def describe_run(
    config: RunConfig, path: Path, cells: Sequence[Cell], resolved: dict[str, Any]
) -> bool:
    """config.toml, plan.json, run.json and the photos' thumbnails; says whether they changed."""
    text = toml_text(config)
    config_file = path / "config.toml"
    changed = not config_file.is_file() or config_file.read_bytes() != text.encode()
    if changed:
        write_text(config_file, text)
    write_plan(path, cells, resolved)
    about = {
        "version": 1,
        "title": config.title,
        "backbone_note": open_backbone(config.backbone).note,
        "versions": {name: package_version(name) for name in PACKAGES},
    }
    if read_json(path / "run.json") != about:
        write_json(path / "run.json", about)
        changed = True
    write_thumbnails(path, cells)
    return changed


def work_on(
    config: RunConfig,
    path: Path,
    missing: Sequence[Cell],
    total: int,
    devices: Sequence[str],
    console: Console,
) -> list[tuple[str, str]]:
    """Works on the missing cells; returns (label, reason) of those that failed."""
    execution = config.execution
    record_environment(path, environment(devices[0], execution.threads, len(devices)))
    jobs = [
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
        )
        for cell in leaders_first(missing)
    ]
    progress = RunProgress(console, total, total - len(missing), settle)
    order = PriorOrder(progress)

    def busy(job: Job) -> bool:
        return order.put_off(job) or cell_folder(path, job.key).busy()

    with progress:
        run_jobs(jobs, devices, order, busy=busy)
    return [(job.label, reason) for job, reason in progress.failures]


def settle(job: Job, exit_code: int) -> str | None:
    """Why the cell failed, None when it is done. Writes it down where the worker could not."""
    folder = cell_folder(Path(job.run), job.key)
    state = folder.state()
    if state["status"] == "pending":
        kind, message = death(exit_code)
        folder.fail(Cell.from_json(job.cell), kind, message)
        state = folder.state()
    if state["status"] == "done":
        return None
    return f"{state['kind_of_failure']}: {state['message']}"


def death(exit_code: int) -> tuple[str, str]:
    """Kind and message for a worker that ended without a word."""
    if exit_code >= 0:
        return "WorkerExit", f"the worker ended with exit code {exit_code}; see log.txt"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = " (often the system ran out of memory)" if name == "SIGKILL" else ""
    return name, f"the worker was killed by {name}{hint}; see log.txt"
