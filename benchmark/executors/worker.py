"""What runs inside a worker's process: one cell, then the end."""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.embedding_cache import LIMIT_VARIABLE
from benchmark.executors import Job
from benchmark.pauses import watch

_known: dict[str, dict[str, Any]] = {}
"""Device -> what `environment` said of it in this process, which has one job."""
REPORT_SECONDS = 0.1
"""Step reports closer together than this are left out."""


def work(text: str, device: str, asked: float, messages: Connection) -> None:
    """Does the job in `text`. `asked` is `time.monotonic()` of when the process was asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    watch()
    die_with_parent()
    job = Job.from_text(text)
    from benchmark.cell import Circumstances, run_cell
    from benchmark.environment_record import put_on_record
    from benchmark.plan import Cell
    from benchmark.store import cell_folder
    from benchmark.torch_environment import record_worker

    log_to(cell_folder(Path(job.run), job.key).log)
    set_up(job)
    run = Path(job.run)
    circumstances = Circumstances(
        device=device,
        generation_batch=job.generation_batch,
        scoring_batch=job.scoring_batch,
        start_seconds=time.monotonic() - asked,
        report=reporter(messages),
        attempts=job.attempts,
        on_record=lambda: put_on_record(run, environment_of(job, device)),
    )
    run_cell(run, Cell.from_json(job.cell), circumstances)
    record_worker(run, environment_of(job, device))


def environment_of(job: Job, device: str) -> dict[str, Any]:
    """The machine, the software and how the job shares them, as they are now."""
    from benchmark.environment import environment, installed

    if device not in _known or not installed().items() <= _known[device].items():
        batches = {"generating": job.generation_batch, "scoring": job.scoring_batch}
        asked = (device, job.threads, job.at_a_time, job.deterministic, batches)
        _known[device] = environment(*asked)
    return _known[device]


def set_up(job: Job) -> None:
    """The threads that the job may use and, where it asks for them, deterministic kernels and no
    embeddings of earlier cells."""
    if job.fresh:
        os.environ[LIMIT_VARIABLE] = "0"
    if job.deterministic:
        from benchmark.torch_environment import be_deterministic

        be_deterministic()
    import torch

    torch.set_num_threads(job.threads)


def die_with_parent() -> None:
    """Ends this process as soon as its parent is gone, even when that was killed outright."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by the executor"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def log_to(path: Path) -> None:
    """Sends all output of this process, that of native code too, to the end of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # The forked Python objects may be block-buffered: a killed worker must still leave its log.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable(sys.stderr)
    print(f"-- {time.strftime('%Y-%m-%d %H:%M:%S')} process {os.getpid()}")


def reporter(messages: Connection) -> Callable[[str, int, int], None]:
    """Sends (stage, done, total) to the parent, as JSON, at most every `REPORT_SECONDS`.

    Ends the process where nobody listens any more: whoever started it has given it up for dead.
    """
    last_stage, last_time = "", 0.0

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last_stage, last_time
        now = time.monotonic()
        if stage == last_stage and now - last_time < REPORT_SECONDS and done < total:
            return
        last_stage, last_time = stage, now
        try:
            messages.send_bytes(json.dumps([stage, done, total]).encode())
        except OSError:
            os._exit(1)

    return report
