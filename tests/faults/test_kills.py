"""kill -9 of a whole run, all of its processes, at random instants, and several runs at once.

TBBENCH_KILLS=25 kills as often as docs/explanation/reliability.md tells; continuous integration
takes fewer.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.bench import (
    Outcome,
    attempts,
    finish,
    harmed_config,
    kill_at_random,
    lost,
    outcome,
    run_of,
    start,
    trained,
    wait_for,
    write,
)

pytestmark = [pytest.mark.slow, pytest.mark.long]
KILLS = int(os.environ.get("TBBENCH_KILLS", "3"))
Tell = Callable[[str], None]


@pytest.fixture
def folder(tiny_backbone: Path, tmp_path: Path) -> Path:
    return write(tmp_path / "harmed", harmed_config(tiny_backbone))


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_killed_at_random_instants_it_ends_as_if_it_had_not_been(
    folder: Path, expected: Outcome, executor: str, tell: Tell
) -> None:
    if executor == "ray":
        pytest.importorskip("ray", reason="needs the extra `ray`")
    made = kill_at_random(folder, KILLS, seed=7, arguments=["--executor", executor])
    gone = lost(expected, outcome(run_of(folder)))
    survived = made.injected if not gone else 0
    tell(f"kill -9, {executor}: {made.injected} injected, {survived} survived, {len(gone)} lost")
    assert gone == []
    assert made.repeated == 0
    assert made.injected > 0


@pytest.mark.parametrize("runners", [2, 4])
def test_several_runs_of_one_folder_share_its_cells(
    folder: Path, expected: Outcome, runners: int, tell: Tell
) -> None:
    processes = [start(folder, "--workers", "1") for _ in range(runners)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * runners, said
    gone = lost(expected, outcome(run_of(folder)))
    tell(f"{runners} runs at once: {len(gone)} lost")
    assert gone == []
    assert set(attempts(run_of(folder)).values()) == {1}
    assert set(trained(run_of(folder)).values()) == {1}


def test_one_of_two_runs_is_killed(folder: Path, expected: Outcome, tell: Tell) -> None:
    """The other takes over the dead one's cell: with the machine's word, not after a time."""
    first, second = start(folder, "--workers", "1"), start(folder, "--workers", "1")
    run = run_of(folder)
    assert wait_for(first, lambda: len(attempts(run)) >= 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    said, _ = second.communicate()
    assert second.returncode == 0, said
    gone = lost(expected, outcome(run))
    tell(f"one of two runs killed: {len(gone)} lost")
    assert gone == []
    assert max(attempts(run).values()) <= 2


def test_the_folder_is_removed_while_the_run_goes_on(
    folder: Path, expected: Outcome, tell: Tell
) -> None:
    run = run_of(folder)
    with start(folder) as process:
        assert wait_for(process, lambda: len(attempts(run)) >= 3)
        shutil.rmtree(run, ignore_errors=True)
        said, _ = process.communicate()
    assert process.returncode in (1, 2), said
    assert "Traceback" not in said
    assert "was removed or moved while it was worked on" in said
    code, said = finish(folder)
    assert code == 0, said
    gone = lost(expected, outcome(run))
    tell(f"folder removed: {len(gone)} lost")
    assert gone == []
