"""How the harness fares with ten thousand cells: `python -m tests.perf.scale [CELLS]`.

Prints seconds, megabytes and the share of the harness: docs/explanation/reliability.md holds them.

Nothing is trained: a finished run is written as cells write it (without waiting for the disk), and
workers sleep for as long as they are told to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

from benchmark.atomic import write_json
from benchmark.config import RunConfig, toml_text
from benchmark.executors import Job
from benchmark.executors.local import run_jobs
from benchmark.metrics.evidence import scores
from benchmark.plan import Cell, plan
from benchmark.plan_file import read_resolved
from benchmark.runner import describe_run
from benchmark.store import cell_folder

SUBJECTS = ("spotted_dog", "tiger_cat", "picnic_teapot", "polka_backpack", "pink_toy")
METHODS = ("base", "copy")
PROMPTS = ("in-the-jungle", "in-the-snow")


def scale_config(cells: int, **changes: Any) -> RunConfig:
    """A run of that many cells; 10 for every training seed."""
    table = {
        "name": "scale",
        "title": f"{cells} cells",
        "subjects": SUBJECTS,
        "prompts": PROMPTS,
        "train_seeds": tuple(range(cells // (len(SUBJECTS) * len(METHODS)))),
        "methods": [{"name": name} for name in METHODS],
        "generation": {"seeds": (0, 1)},
        "scoring": {"metrics": ("fidelity",), "image_encoders": ("toy-clip",)},
        "execution": {"device": "cpu", "workers": 1},
    }
    return RunConfig.model_validate(table | changes)


def write_finished(folder: Path, config: RunConfig) -> list[Cell]:
    """The run's folder with all cells done, two scores per picture; pictures are not written."""
    resolved: dict[str, Any] = {}
    cells = plan(config, resolved)
    with mock.patch("os.fsync"):
        describe_run(config, folder, cells, resolved)
        write_json(folder / "environment.json", {"gpus": [], "packages": {}})
        for number, cell in enumerate(cells):
            state = cell_folder(folder, cell.key)
            with state.lock():
                state.begin(cell)
                _cell_files(state.path, cell, number)
                state.finish(cell)
    return cells


def _cell_files(folder: Path, cell: Cell, number: int) -> None:
    records = [
        {
            "prompt_id": id,
            "prompt": template.replace("{subject}", cell.class_noun),
            "seed": seed,
            "image": f"cells/{cell.key}/images/{id}-{seed}.png",
            "metric": "fidelity",
            "reference": reference,
            "value": (number * 37 + seed) % 100 / 100,
        }
        for id, template in cell.prompts.items()
        for seed in cell.seeds
        for reference in ("seen", "unseen")
    ]
    scores(records).assign(encoder="toy-clip").to_parquet(folder / "scores.parquet", index=False)
    names = ("stage", "measure", "value", "unit", "kind")
    costs = [(stage, "wall_seconds", 10.0, "s", "measured") for stage in ("load", "generate")]
    write_json(folder / "cost.json", [dict(zip(names, cost, strict=True)) for cost in costs])


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Names of all files that this process opens meanwhile."""
    names: list[str] = []
    listening = True

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str):
            names.append(os.path.basename(arguments[0]))

    sys.addaudithook(hear)
    try:
        yield names
    finally:
        listening = False


def sleeping(text: str, device: str, asked: float, messages: Connection) -> None:
    """A worker's work: sleeps for the seconds of its job's cell, and tells of two stages."""
    job = Job.from_text(text)
    for stage in ("train", "generate"):
        messages.send_bytes(b'["%s", 1, 2]' % stage.encode())
        time.sleep(job.cell["seconds"] / 2)


class Quiet:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def started(self, job: Job) -> None: ...
    def progressed(self, job: Job, stage: str, done: int, total: int) -> None: ...
    def ended(self, job: Job, exit_code: int) -> None:
        self.codes.append(exit_code)

    def waiting(self, jobs: int) -> None: ...


def sleep_jobs(cells: int, seconds: float) -> list[Job]:
    """Jobs that sleep `seconds` each."""
    return [
        Job(f"{number:016x}", f"cell {number}", ".", {"seconds": seconds}, 1, 1, 1)
        for number in range(cells)
    ]


def harness_share(workers: int, rounds: int, seconds: float, of: float = 30.0) -> tuple[float, ...]:
    """Seconds that the executor spends per cell and worker, wall and processor, and the first as
    a share of cells that last `of` seconds. `rounds` cells per worker, each of `seconds`."""
    jobs = sleep_jobs(workers * rounds, seconds)
    watcher = Quiet()
    before = time.process_time()
    begin = time.perf_counter()
    run_jobs(jobs, ["cpu"] * workers, watcher, work=sleeping, preload=("tests.perf.scale",))
    wall, cpu = time.perf_counter() - begin, time.process_time() - before
    assert watcher.codes == [0] * len(jobs)
    lost = wall / rounds - seconds
    return lost, cpu / len(jobs), lost / of


def resume(folder: Path, config: RunConfig) -> tuple[float, float, float]:
    """(wall seconds, processor seconds, peak MB) of `tbbench run` on a finished run."""
    (folder.parent / "scale.toml").write_text(toml_text(config))
    command = [sys.executable, "-m", "benchmark.cli", "run", "scale.toml", "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder.parent, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, "the run failed"
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def _planning(folder: Path, config: RunConfig) -> None:
    begin, before = time.perf_counter(), time.process_time()
    cells = plan(config, read_resolved(folder))
    keys = {cell.key for cell in cells}
    wall, cpu = time.perf_counter() - begin, time.process_time() - before
    print(f"planning {len(keys)} cells: {wall:.2f} s, {cpu:.2f} s of processor")


def main(arguments: Sequence[str]) -> None:
    cells = int(arguments[0]) if arguments else 10_000
    print("load average:", ", ".join(f"{load:.1f}" for load in os.getloadavg()))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "scale"
        config = scale_config(cells)
        write_finished(folder, config)
        _planning(folder, config)
        for what in ("first, with the tables and the page", "again, nothing to do"):
            wall, cpu, peak = resume(folder, config)
            print(f"run {what}: {wall:.1f} s, {cpu:.1f} s of processor, peak {peak:.0f} MB")
        files = [file for file in folder.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        print(
            f"store: {size / 1e6:.1f} MB in {len(files)} files, {size / cells / 1e3:.1f} kB a cell"
        )
        plan_size = (folder / "plan.json").stat().st_size
        print(f"plan.json: {plan_size / 1e6:.1f} MB")
    for workers, rounds, seconds in ((1, 20, 1.0), (8, 10, 3.0), (64, 3, 30.0)):
        lost, cpu, share = harness_share(workers, rounds, seconds)
        print(
            f"{workers} workers, {workers * rounds} cells of {seconds:g} s: {lost:.3f} s a cell "
            f"and worker, {1000 * cpu:.1f} ms of the driver's processor, {share:.2%} of 30 s"
        )


if __name__ == "__main__":
    # Workers import what they do by its name, which `__main__` is not.
    from tests.perf import scale

    scale.main(sys.argv[1:])
