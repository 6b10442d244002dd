"""The same cells as tasks on a Ray cluster: see `ray_task` for what runs there.

A cell whose Ray worker or node is lost is started again, `RETRIES` times; one whose own process
ends is a failure as it is on one machine. Results are written to the run's folder where the task
sees it. Elsewhere the task works in a folder of its own and its files come back through Ray's
object store; until they are in place this process owns the cell.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.atomic import read_record
from benchmark.environment import code_digest
from benchmark.environment_record import OTHERS, entries, keep_entry
from benchmark.errors import UserError
from benchmark.executors import LOST, Job, Watcher, next_job
from benchmark.executors.local import GRACE_SECONDS, POLL_SECONDS, PRELOAD, Work
from benchmark.executors.ray_cluster import gpu_share, import_ray
from benchmark.executors.ray_task import (
    Answer,
    Order,
    OtherCodeError,
    do_cell,
    read_files,
)
from benchmark.executors.worker import work as do_job
from benchmark.store import cell_folder
from benchmark.transfer import put_cell

RETRIES = 3


class Mailbox:
    """An actor that holds what tasks tell until whoever started the run asks for it."""

    def __init__(self) -> None:
        self._letters: list[tuple[str, str, int, int]] = []

    def put(self, *letter: Any) -> None:
        """Keeps one letter: what a task has to tell."""
        self._letters.append(letter)

    def take(self) -> list[tuple[str, str, int, int]]:
        """All letters since the last call, in the order in which they came."""
        letters, self._letters = self._letters, []
        return letters


def task(order: Order, mailbox: Any) -> Answer:
    """What Ray calls."""
    return do_cell(order, lambda *letter: mailbox.put.remote(*letter))


@dataclass
class Active:
    """A task under way. `owned` holds the cell where its files are to come back."""

    job: Job
    owned: ExitStack


def run_jobs(
    jobs: Sequence[Job],
    devices: Sequence[str],
    watcher: Watcher,
    busy: Callable[[Job], bool] = lambda job: False,
    keep_going: Callable[[], bool] = lambda: True,
    work: Work = do_job,
    preload: Sequence[str] = (PRELOAD,),
) -> None:
    """As `local.run_jobs`, on the cluster that this process has joined.

    UserError when a node has other code of the benchmark than this process.
    """
    if not jobs:
        return
    tasks = _Tasks(jobs[0], devices, work, preload)
    pending = list(jobs)
    try:
        while pending or tasks.active:
            while pending and len(tasks.active) < len(devices):
                job = next_job(pending, busy, keep_going)
                if job is None:
                    break
                watcher.started(job)
                tasks.start(job)
            if not tasks.active:
                if pending:
                    watcher.waiting(len(pending))
                    time.sleep(POLL_SECONDS)
                continue
            ended = tasks.wait()
            tasks.hand_on(watcher)
            for reference in ended:
                job = tasks.active[reference].job
                code = tasks.settle(reference)
                if code is not None:
                    watcher.ended(job, code)
    finally:
        tasks.end()


class _Tasks:
    """The tasks under way and what they need."""

    def __init__(
        self, first: Job, devices: Sequence[str], work: Work, preload: Sequence[str]
    ) -> None:
        self.ray = import_ray()
        self.active: dict[Any, Active] = {}
        self._device, self._work, self._preload = devices[0], work, preload
        # The task holds no GPU itself: its worker need not end to free one.
        options = {
            "num_cpus": first.threads,
            "num_gpus": gpu_share(list(devices)),
            "max_retries": RETRIES,
            "max_calls": 0,
        }
        self._task = self.ray.remote(**options)(task)
        here = self.ray.get_runtime_context().get_node_id()
        strategy = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, True)
        actor = self.ray.remote(num_cpus=0, scheduling_strategy=strategy)(Mailbox)
        self._mailbox = actor.remote()
        self._token = Path(first.run, f".seen-{secrets.token_hex(8)}")
        self._token.parent.mkdir(parents=True, exist_ok=True)
        self._token.touch()

    def start(self, job: Job, **given: Any) -> None:
        """Starts the job's task; `given`: the files of an `Order`."""
        order = Order(
            job=job.to_text(),
            device=self._device,
            code=code_digest(),
            token=self._token.name,
            work=self._work,
            preload=tuple(self._preload),
            **given,
        )
        self.active[self._task.remote(order, self._mailbox)] = Active(job, ExitStack())

    def wait(self) -> list[Any]:
        """The tasks that have ended; after half a second there may be none."""
        ended, _ = self.ray.wait([*self.active], num_returns=1, timeout=POLL_SECONDS)
        return list(ended)

    def hand_on(self, watcher: Watcher) -> None:
        """Tells the watcher of the progress of jobs under way."""
        jobs = {active.job.key: active.job for active in self.active.values()}
        # Without the mailbox there is no progress to show, and nothing else is lost.
        with contextlib.suppress(self.ray.exceptions.RayError):
            for key, *letter in self.ray.get(self._mailbox.take.remote(), timeout=GRACE_SECONDS):
                if key in jobs:
                    watcher.progressed(jobs[key], *letter)

    def settle(self, reference: Any) -> int | None:
        """The exit code of an ended task's job; None when it has to be started with its files."""
        active = self.active.pop(reference)
        errors = self.ray.exceptions
        with active.owned:
            try:
                answer: Answer = self.ray.get(reference)
            except errors.OutOfMemoryError:
                return -signal.SIGKILL
            except errors.RayTaskError as error:
                if isinstance(error.cause, OtherCodeError):
                    raise UserError(
                        "a node of the Ray cluster has other code than this one; install the same "
                        "textboost-bench on all nodes"
                    ) from None
                return _broken(active.job, error)
            except errors.RayError as error:
                _log(active.job, f"Ray gave the cell up: {error}")
                return LOST
            if answer.exit_code is None:
                self._start_with_files(active.job)
                return None
            if answer.files is not None:
                try:
                    contents = {name: file.data for name, file in answer.files.items()}
                    put_cell(cell_folder(Path(active.job.run), active.job.key), contents)
                    for entry in entries(answer.environment):
                        if "worker" in entry:
                            keep_entry(Path(active.job.run), entry)
                except (OSError, ValueError) as error:
                    return _broken(active.job, error)
            return answer.exit_code

    def _start_with_files(self, job: Job) -> None:
        folder = cell_folder(Path(job.run), job.key)
        owned = ExitStack()
        owned.enter_context(folder.lock())
        environment = read_record(Path(job.run) / "environment.json")
        environment.pop("worker", None)
        environment.pop(OTHERS, None)
        self.start(job, files=read_files(folder.path), environment=environment)
        next(a for a in self.active.values() if a.job is job).owned = owned

    def end(self) -> None:
        """Ends what is still under way, with the processes that work for it."""
        with contextlib.suppress(self.ray.exceptions.RayError):
            for reference in self.active:
                self.ray.cancel(reference, force=True)
            if self.active:
                left = [*self.active]
                self.ray.wait(left, num_returns=len(left), timeout=GRACE_SECONDS)
            self.ray.kill(self._mailbox)
        for active in self.active.values():
            active.owned.close()
        self._token.unlink(missing_ok=True)


def _broken(job: Job, error: BaseException) -> int:
    """For an error outside of the cell's own process: told in its log."""
    _log(job, "".join(traceback.format_exception(error)))
    return 1


def _log(job: Job, text: str) -> None:
    log = cell_folder(Path(job.run), job.key).log
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"-- {time.strftime('%Y-%m-%d %H:%M:%S')} process {os.getpid()}\n{text}\n")
