"""Cells for the tests of the Ray executor: Ray's workers import this file by its name."""

import json
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmark.executors import Job
from benchmark.executors.worker import die_with_parent
from benchmark.plan import Cell
from benchmark.store import cell_folder


def sleep_once(text: str, device: str, asked: float, messages: Connection) -> None:
    """Sleeps until it is killed the first time, and tells so; the next time it ends."""
    job = Job.from_text(text)
    die_with_parent()
    tries = Path(job.run, "tries")
    with tries.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(tries.read_text().split()) == 1:
        time.sleep(120)


def make_cell(text: str, device: str, asked: float, messages: Connection) -> None:
    """Goes on with what an earlier attempt left, in cell.json's own way."""
    job = Job.from_text(text)
    messages.send_bytes(json.dumps(["train", 1, 2]).encode())
    cell = Cell.from_json(job.cell)
    folder = cell_folder(Path(job.run), job.key)
    environment = Path(job.run, "environment.json")
    environment.write_text(json.dumps(json.loads(environment.read_text()) | {"worker": {"w": 1}}))
    with folder.lock():
        folder.begin(cell)
        folder.images.mkdir(exist_ok=True)
        made = len(list(folder.images.iterdir()))
        (folder.images / f"picture-{made}.png").write_bytes(b"x" * made)
        (folder.path / "cost.json").write_text("[]")
        folder.log.write_text(str(Path(job.run)))
        if job.label == "crash":
            os._exit(3)
        folder.finish(cell)


def tell_niceness(text: str, device: str, asked: float, messages: Connection) -> None:
    """Leaves the process's niceness in the run's folder."""
    job = Job.from_text(text)
    Path(job.run, job.key).write_text(str(os.nice(0)))
