"""Whole runs through the command line, with real workers, on the tiny backbone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.config import RunConfig, toml_text
from benchmark.store import Run

pytestmark = pytest.mark.slow

# Whatever ran the tests in the background may have had Ctrl-C ignored.
CODE = """
import signal
from benchmark.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
SCORED = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"], "text_encoders": []}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`tbbench run` on the configuration in `folder`, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "run", "mine.toml", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, *arguments: str) -> tuple[int, str, str]:
    with start(folder, *arguments) as process:
        out, err = process.communicate()
        return process.returncode, out, err


def write(folder: Path, config: RunConfig) -> Path:
    folder.mkdir()
    (folder / "mine.toml").write_text(toml_text(config))
    return folder


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, "the run ended before it could be stopped"
        time.sleep(0.02)


def trained(run: Path) -> list[str]:
    """Keys of all trainings that came to their end, from the logs."""
    lines = [line for log in run.glob("cells/*/log.txt") for line in log.read_text().splitlines()]
    return [line.split()[1] for line in lines if line.startswith("trained ")]


@pytest.mark.long
def test_killed_three_times_it_ends_as_if_it_had_not_been(small, tmp_path: Path) -> None:
    config = small(scoring=SCORED)
    straight, broken = write(tmp_path / "straight", config), write(tmp_path / "broken", config)
    assert finish(straight)[0] == 0
    run = broken / "runs" / "small"
    moments = [
        lambda: any(run.glob("cells/*/cell.json")),
        lambda: any(run.glob("cells/*/checkpoint.json")),
        lambda: any(run.glob("cells/*/images/*.png")) and len(trained(run)) == 1,
    ]
    for moment in moments:
        with start(broken) as process:
            wait_for(moment, process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    code, out, _ = finish(broken)
    assert code == 0
    assert "report:" in out
    expected = Run.open(straight / "runs" / "small").results()
    assert len(expected) > 0
    assert Run.open(run).results().equals(expected)
    assert sorted(trained(run)) == sorted(set(trained(run)))
    names = [p.relative_to(run) for p in run.glob("cells/*/images/*.png")]
    assert names
    for name in names:
        assert (run / name).read_bytes() == (straight / "runs" / "small" / name).read_bytes()


def test_a_finished_run_starts_no_worker_and_imports_no_torch(small, tmp_path: Path) -> None:
    folder = write(tmp_path / "run", small(methods=[{"name": "copy"}], scoring=SCORED))
    assert finish(folder)[0] == 0
    code = (
        "import sys\nsys.argv = ['tbbench', 'run', 'mine.toml']\nfrom benchmark.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    again = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "report:" in again.stdout
    run = Run.open(folder / "runs" / "small")
    (cell,) = run.cell_info()
    assert cell["attempts"] == 1
    assert run.environment["worker"]["device"] == "cpu"  # written by the worker, and left alone


@pytest.mark.long
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(small, tmp_path: Path) -> None:
    folder = write(tmp_path / "run", small())
    with start(folder) as process:
        wait_for(lambda: any(folder.glob("runs/small/cells/*/log.txt")), process)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert "stopped with" in out
    assert "the same command goes on from there" in out
    assert "Traceback" not in err
    assert finish(folder)[0] == 0


def test_a_cell_that_fails_is_named_and_the_others_are_done(small, tmp_path: Path) -> None:
    inversion = {"name": "textual-inversion", "preset": "toy"}
    bad = inversion | {"settings": {"vectors": 500}}
    folder = write(tmp_path / "run", small(methods=[{"name": "copy"}, bad], scoring=SCORED))
    code, out, err = finish(folder)
    assert code == 1
    assert "failed: textual-inversion (toy) · spotted_dog · seed 0: train: ValueError: " in err
    again = "the same command with --retry failed tries them again"
    assert f"1 of 2 cells failed; {again}" in err
    cells = Run.open(folder / "runs" / "small").cells().set_index("method")
    assert cells.status.to_dict() == {"copy": "done", "textual-inversion": "failed"}
    assert "report:" in out


@pytest.mark.long
def test_workers_and_batches_change_no_score(small, tmp_path: Path) -> None:
    config = small(scoring=SCORED)
    one, two = write(tmp_path / "one", config), write(tmp_path / "two", config)
    assert finish(one)[0] == 0
    assert finish(two, "--workers", "2", "--set", "generation.batch_size=3")[0] == 0
    a, b = (Run.open(folder / "runs" / "small").results() for folder in (one, two))
    assert a.drop(columns="value").equals(b.drop(columns="value"))
    # Some processors sum a batch of 3 in another order than one of 2: a grey level in few pixels.
    assert (a.value - b.value).abs().max() < 2e-4


@pytest.mark.long
def test_a_folder_is_one_runs_at_a_time(small, tmp_path: Path) -> None:
    folder = write(tmp_path / "run", small(methods=[{"name": "copy"}], scoring=SCORED))
    assert finish(folder)[0] == 0
    other = ("--set", "generation.seeds=[3]")
    code, out, _ = finish(folder, *other)
    assert code == 0
    assert "runs/small: another plan of 1 other cells" in " ".join(out.split())
    with start(folder, "--set", "generation.seeds=[4, 5]") as process:
        wait_for(lambda: '"pending"' in "".join(states(folder)), process)
        assert finish(folder, *other)[0] == 0
        _, err = process.communicate()
    assert process.returncode == 2
    assert "another run took over runs/small meanwhile; give each run its own --out" in err


def states(folder: Path) -> list[str]:
    return [file.read_text() for file in folder.glob("runs/small/cells/*/cell.json")]
