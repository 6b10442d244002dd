"""One fresh process per cell on this machine.

On the CPU workers are forked from a forkserver that has imported everything already (`preload`),
so a cell starts in well under a second and still shares nothing with the cells before it. CUDA
cannot be used in a fork of a process that has asked for it, and importing diffusers asks; nor can
Metal. With a GPU every worker imports everything itself, which takes some seconds per cell.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType

from benchmark.errors import UserError
from benchmark.executors import TIMED_OUT, Job, Watcher, next_job
from benchmark.executors.worker import work as do_job

PRELOAD = "benchmark.executors.preload"
POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0
"""How long a worker may take to go when it is told to."""

Work = Callable[[str, str, float, Connection], None]


@dataclass
class Worker:
    """One running process; times are those of `time.monotonic`."""

    job: Job
    device: str
    process: BaseProcess
    messages: Connection
    due: float
    """When the job's time is up; infinite without a limit."""
    listening: bool = True
    """False once the worker has closed its end of the pipe."""
    killed_at: float | None = None
    """When it is killed, since it was told to go because its time was up."""

    def end_when_due(self, now: float) -> None:
        """Told to go when its time is up, killed when it does not: it may hang, or be stopped."""
        if self.killed_at is None:
            if now >= self.due:
                self.killed_at = now + GRACE_SECONDS
                self.process.terminate()
        elif now >= self.killed_at:
            self.process.kill()

    @property
    def exit_code(self) -> int:
        """What the watcher is told when the process is gone.

        One that came to its end while it was told to go is not held to have run out of time.
        """
        code = self.process.exitcode or 0
        return TIMED_OUT if self.killed_at is not None and code != 0 else code


def choose_devices(device: str, workers: int | None, threads: int) -> list[str]:
    """The device of each worker, "cpu", "cuda:N" or "mps": one entry per cell at a time.

    "auto" takes every visible NVIDIA GPU, else the CPU; "cuda" is the first GPU, "mps" Apple's.
    `workers` None means one per GPU, or on the CPU as many as the cores allow at `threads` each.
    UserError for a GPU that is not there.
    """
    if device == "mps":
        if not _mps_available():
            raise UserError("device 'mps': torch finds no Apple GPU here; choose another --device")
        return ["mps"] * (workers or 1)
    found = 0 if device == "cpu" else _cuda_devices()
    if device in ("auto", "cpu"):
        cards = [f"cuda:{i}" for i in range(found)]
    else:
        number = int(device.partition(":")[2] or 0)
        if number >= found:
            has = f"{found} CUDA device{'s' if found > 1 else ''}" if found else "no CUDA device"
            raise UserError(f"device {device!r}: torch finds {has} here; choose another --device")
        cards = [f"cuda:{number}"]
    if not cards:
        return ["cpu"] * (workers or max(1, (os.cpu_count() or 1) // threads))
    return [cards[i % len(cards)] for i in range(workers or len(cards))]


def run_jobs(
    jobs: Sequence[Job],
    devices: Sequence[str],
    watcher: Watcher,
    busy: Callable[[Job], bool] = lambda job: False,
    keep_going: Callable[[], bool] = lambda: True,
    work: Work = do_job,
    preload: Sequence[str] = (PRELOAD,),
) -> None:
    """Works on all jobs, one process each, at most `len(devices)` at a time.

    A job that is `busy`, because another run works on it, is put off until it is free. Once
    `keep_going` says no, none is started any more, and those that are under way come to their end.
    When this call is interrupted, the workers are ended before the exception goes on.
    """
    context = _context(preload, jobs[0].threads if jobs else 1, devices)
    pending = list(jobs)
    free = list(devices)
    active: list[Worker] = []
    try:
        while pending or active:
            while free and pending:
                job = next_job(pending, busy, keep_going)
                if job is None:
                    break
                watcher.started(job)
                active.append(_start(context, job, free.pop(0), work))
            if not active:
                if pending:
                    watcher.waiting(len(pending))
                    time.sleep(POLL_SECONDS)
                continue
            _wait(active)
            for worker in list(active):
                _read(worker, watcher)
                worker.end_when_due(time.monotonic())
                if not worker.process.is_alive():
                    worker.process.join()
                    _read(worker, watcher)
                    active.remove(worker)
                    free.append(worker.device)
                    worker.messages.close()
                    watcher.ended(worker.job, worker.exit_code)
    finally:
        _end(active)


def _wait(active: Sequence[Worker]) -> None:
    """Until a worker says something, ends or has to be ended; half a second at most."""
    now = time.monotonic()
    ends = (w.due if w.killed_at is None else w.killed_at for w in active)
    seconds = min([POLL_SECONDS, *(end - now for end in ends if end > now)])
    sources = [w.messages for w in active if w.listening]
    wait([*sources, *(w.process.sentinel for w in active)], timeout=seconds)


def _context(preload: Sequence[str], threads: int, devices: Sequence[str]) -> BaseContext:
    """A forkserver where it can be used. Libraries that size their pools at import obey."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    on_gpu = any(device != "cpu" for device in devices)
    if on_gpu or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _start(context: BaseContext, job: Job, device: str, work: Work) -> Worker:
    receiver, sender = context.Pipe(duplex=False)
    arguments = (job.to_text(), device, time.monotonic(), sender)
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=work, args=arguments, name=f"tbbench {job.label}", daemon=True
    )
    with _no_main_module():
        process.start()
    sender.close()
    due = math.inf if job.timeout is None else time.monotonic() + job.timeout
    return Worker(job, device, process, receiver, due)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keeps multiprocessing from running the caller's main script again in every worker."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _read(worker: Worker, watcher: Watcher) -> None:
    """Hands on all messages that have come; the pipe of a worker that is gone just ends."""
    if not worker.listening:
        return
    try:
        while worker.messages.poll():
            stage, done, total = json.loads(worker.messages.recv_bytes())
            watcher.progressed(worker.job, stage, done, total)
    except (EOFError, OSError):
        worker.listening = False


def _end(active: Sequence[Worker]) -> None:
    for worker in active:
        worker.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for worker in active:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _cuda_devices() -> int:
    """GPUs that torch can use. Asks the driver first: importing torch takes seconds."""
    from benchmark.nvml import gpus

    if not gpus():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _mps_available() -> bool:
    import torch

    return torch.backends.mps.is_available()
