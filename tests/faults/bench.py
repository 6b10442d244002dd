"""A run of 24 cheap cells to be harmed, and what is compared with the run that was not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.atomic import checksums, read_record
from benchmark.config import RunConfig, toml_text
from benchmark.store import Run
from tests.benchmark.conftest import SMALL

ROOT = Path(__file__).resolve().parent.parent.parent
SUBJECTS = ("spotted_dog", "tiger_cat", "picnic_teapot", "polka_backpack")
CELLS = 24
SCORED = {"metrics": ["fidelity"], "image_encoders": ["toy-clip"], "text_encoders": []}
LASTING = ("images", "checkpoint")


def harmed_config(backbone: Path, **changes: Any) -> RunConfig:
    """24 cells, of which 8 train; each about a second on the tiny backbone."""
    table = {
        "backbone": str(backbone),
        "subjects": SUBJECTS,
        "prompts": ["in-the-jungle"],
        "train_seeds": [0, 1],
        "methods": [
            {"name": "base"},
            {"name": "copy"},
            {"name": "textual-inversion", "preset": "toy"},
        ],
        "generation": {"seeds": [0], "steps": 1},
        "training": {"steps": 1},
        "scoring": SCORED,
        "execution": {"device": "cpu", "workers": 2},
    }
    return RunConfig.model_validate(SMALL | table | changes)


def write(folder: Path, config: RunConfig) -> Path:
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(toml_text(config))
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`tbbench run` on the folder's configuration, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark.cli", "run", "mine.toml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TBBENCH_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, *arguments: str) -> tuple[int, str]:
    with start(folder, *arguments) as process:
        said, _ = process.communicate()
        return process.returncode, said


def run_of(folder: Path) -> Path:
    return folder / "runs" / "small"


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> bool:
    """Whether the condition came to hold before the process ended."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.02)
    return False


def trained(run: Path) -> Counter[str]:
    """How often each cell's training came to its end, from the logs."""
    lines = [line for log in run.glob("cells/*/log.txt") for line in log.read_text().splitlines()]
    return Counter(line.split()[1].rstrip(":") for line in lines if line.startswith("trained "))


def attempts(run: Path) -> dict[str, int]:
    """Attempts of every cell that is done."""
    records = {file.parent.name: read_record(file) for file in run.glob("cells/*/cell.json")}
    return {key: r["attempts"] for key, r in records.items() if r.get("status") == "done"}


def saved(run: Path) -> set[str]:
    """Cells whose checkpoint is whole and recorded."""
    return {file.parent.name for file in run.glob("cells/*/checkpoint.json")}


@dataclass(frozen=True)
class Outcome:
    """All of a run that must not depend on what happened on the way."""

    results: pd.DataFrame
    status: Mapping[str, str]
    files: Mapping[str, str]
    """Pictures and checkpoints: path -> SHA-256."""


def outcome(run: Path) -> Outcome:
    opened = Run.open(run)
    kept = {
        f"{cell.key}/{part}/{name}": sha
        for cell in opened.planned
        for part in LASTING
        for name, sha in checksums(opened.folder(cell.key).path / part).items()
    }
    cells = opened.cells().set_index("key")
    return Outcome(opened.results(), cells["status"].to_dict(), kept)


def lost(expected: Outcome, found: Outcome) -> list[str]:
    """What of the expected is missing or another; empty when nothing is."""
    lines = [
        f"{key} is {found.status.get(key)}, not {status}"
        for key, status in expected.status.items()
        if found.status.get(key) != status
    ]
    if not expected.results.equals(found.results):
        lines.append("results.parquet is another")
    names = sorted({*expected.files, *found.files})
    return lines + [n for n in names if expected.files.get(n) != found.files.get(n)]


@dataclass
class Kills:
    """What a series of kills came to."""

    injected: int = 0
    too_late: int = 0
    """The run had ended before its instant came."""
    repeated: int = 0
    """Trainings done again although their checkpoint was whole, and cells done again."""


def kill_at_random(folder: Path, kills: int, seed: int, arguments: Sequence[str] = ()) -> Kills:
    """Starts the run and kills all of its processes at a random instant, again and again.

    Instants are drawn from the time in which cells are worked on, not from that of start-up.
    """
    random_ = random.Random(seed)
    run = run_of(folder)
    made = Kills()
    for _ in range(kills):
        whole, before, done = saved(run), trained(run), attempts(run)
        with start(folder, *arguments) as process:
            begun = len(list(run.glob("cells/*/.*"))), sum(attempts(run).values())
            wait_for(process, lambda begun=begun: _moved(run, begun))
            time.sleep(random_.uniform(0.0, 2.0))
            if process.poll() is None:
                made.injected += 1
            else:
                made.too_late += 1
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        made.repeated += _repeated(run, whole, before, done)
    whole, before, done = saved(run), trained(run), attempts(run)
    code, said = finish(folder, *arguments)
    assert code == 0, said
    made.repeated += _repeated(run, whole, before, done)
    return made


def _moved(run: Path, begun: tuple[int, int]) -> bool:
    return (len(list(run.glob("cells/*/.*"))), sum(attempts(run).values())) != begun


def _repeated(run: Path, whole: set[str], before: Counter[str], done: Mapping[str, int]) -> int:
    """What was done again since, although it was there."""
    now, later = trained(run), attempts(run)
    again = sum(now[key] != before[key] for key in whole)
    return again + sum(later.get(key) != count for key, count in done.items())
