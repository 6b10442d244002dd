"""Small jobs for the executor's tests: workers import this file by its name."""

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmark.executors import Job
from benchmark.executors.worker import die_with_parent


def act(text: str, device: str, asked: float, messages: Connection) -> None:
    """Does what the job's label says; leaves a file per job with its process and device."""
    job = Job.from_text(text)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    Path(job.run, job.key).write_text(f"{os.getpid()} {device}")
    messages.send_bytes(json.dumps(["train", 1, 2]).encode())
    if job.label == "crash":
        raise SystemExit(3)
    if job.label == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.label == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if job.label == "closes":
        messages.close()
    if job.label == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    if job.label in ("sleep", "deaf", "closes", "stopped"):
        time.sleep(60)
