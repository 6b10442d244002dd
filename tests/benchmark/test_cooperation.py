"""Several `tbbench run` on one folder, one of them killed: nothing is lost, nothing done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.config import RunConfig, toml_text
from benchmark.integrity import check_run
from benchmark.owner import PLACE
from benchmark.store import Run

pytestmark = [pytest.mark.slow, pytest.mark.long]
COMMAND = "from benchmark.cli import main; main()"


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", "mine.toml"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def working(run: Path, process: subprocess.Popen[str]) -> bool:
    """Whether a worker of the process owns a cell and has begun with it."""
    for file in run.glob(f"cells/*/{PLACE}/*"):
        log = file.parent.parent / "log.txt"
        if not file.name.isdigit() or file.read_bytes().startswith(b"released"):
            continue
        pids = [line.split()[-1] for line in log.read_text().splitlines() if line.startswith("-- ")]
        for pid in pids:
            try:
                if os.getpgid(int(pid)) == process.pid:
                    return True
            except ProcessLookupError:
                continue
    return False


def test_of_three_runs_one_is_killed_and_the_others_do_its_cells(
    small: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = small(
        subjects=["spotted_dog", "rain_boot"],
        methods=[{"name": "base"}, {"name": "textual-inversion", "preset": "toy"}],
        train_seeds=[0, 1],
        scoring={
            "metrics": ["fidelity"],
            "image_encoders": ["efficientnet-lite0"],
            "text_encoders": [],
        },
    )
    straight, shared = tmp_path / "straight", tmp_path / "shared"
    for folder in (straight, shared):
        folder.mkdir()
        (folder / "mine.toml").write_text(toml_text(config))
    with start(straight) as process:
        process.communicate()
    assert process.returncode == 0
    run = shared / "runs" / "small"
    runs = [start(shared) for _ in range(3)]
    victim = runs[0]
    while not working(run, victim):
        assert victim.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(victim.pid, signal.SIGKILL)
    ends = [process.communicate()[1] for process in runs]
    assert [process.returncode for process in runs[1:]] == [0, 0], ends
    checked = check_run(run)
    assert checked.findings == ()
    assert set(checked.cells.values()) == {"whole"}
    expected = Run.open(straight / "runs" / "small").results()
    assert Run.open(run).results().equals(expected)
    cells = Run.open(run).cells()
    assert len(cells) == 8
    assert cells.attempts.sum() <= 9  # one was under way when its run was killed
    trained = [
        line.split()[1]
        for log in run.glob("cells/*/log.txt")
        for line in log.read_text().splitlines()
        if line.startswith("trained ")
    ]
    # One may have been trained, and the run killed before the checkpoint was whole.
    assert len(trained) - len(set(trained)) <= 1
    for picture in run.glob("cells/*/images/*.png"):
        twin = straight / "runs" / "small" / picture.relative_to(run)
        assert picture.read_bytes() == twin.read_bytes()
