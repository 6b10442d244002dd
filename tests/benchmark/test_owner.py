"""Owners as real processes: killed, suspended, from other machines, many at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark import owner, processes
from benchmark.owner import LOST, PLACE, FolderTakenError, OwnerLostError, Pace

QUICK = Pace(beat=0.1, stale=3.0, poll=0.02)
# argv: folder, the machine to pretend to be on, seconds to hold the folder.
HOLDER = """
import sys, time
from pathlib import Path
from benchmark import owner, processes
if sys.argv[2]:
    processes.this_machine = lambda: sys.argv[2]
with owner.hold(Path(sys.argv[1]), pace=owner.Pace(beat=0.1, stale=1.0, poll=0.02)) as mine:
    print(mine.file.name, flush=True)
    time.sleep(float(sys.argv[3]))
    owner.confirm(Path(sys.argv[1]))
    print("still", flush=True)
"""


def start(folder: Path, machine: str = "", seconds: float = 60) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), machine, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def holder(folder: Path, machine: str = "", seconds: float = 60) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the folder when the block begins."""
    process = start(folder, machine, seconds)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip(), process.stderr and process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def taken(folder: Path) -> bool:
    try:
        with owner.hold(folder, wait=False, pace=QUICK):
            return False
    except FolderTakenError:
        return True


def watch(folder: Path, seconds: float) -> bool:
    """Whether the folder is free after looking at it for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not owner.live_owner(folder, QUICK):
            return True
        time.sleep(0.05)
    return False


def test_a_folder_has_one_owner_until_it_is_released(tmp_path: Path) -> None:
    assert not owner.live_owner(tmp_path)
    with owner.hold(tmp_path) as mine:
        assert owner.live_owner(tmp_path)
        assert owner.holds(tmp_path)
        assert taken(tmp_path)
        assert mine.still()
        owner.confirm(tmp_path)
    assert not owner.live_owner(tmp_path)
    assert not owner.holds(tmp_path)
    assert not taken(tmp_path)


def test_whoever_waits_gets_it_when_it_is_released(tmp_path: Path) -> None:
    with holder(tmp_path, seconds=0.3) as process:
        assert taken(tmp_path)
        with owner.hold(tmp_path, pace=QUICK):
            assert process.stdout is not None
            assert process.stdout.readline() == "still\n"  # it came to its end first


def test_a_killed_owner_on_this_machine_is_followed_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        time.sleep(0.1)  # not waited for: it is a zombie, and holds nothing any more
        assert not owner.live_owner(tmp_path, Pace(stale=1e9))
        with owner.hold(tmp_path, wait=False, pace=Pace(stale=1e9)) as mine:
            assert mine.file.name == "000002"


def test_a_suspended_owner_on_this_machine_is_never_robbed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        assert not watch(tmp_path, 1.5 * QUICK.stale)
        process.send_signal(signal.SIGCONT)
        assert taken(tmp_path)


def test_another_process_with_the_same_id_is_not_the_owner(tmp_path: Path) -> None:
    with owner.hold(tmp_path) as mine:
        pid, started = mine.owner.pid, mine.owner.started
    assert processes.running(pid, started)
    assert not processes.running(pid, started - 1)


def test_an_owner_elsewhere_is_dead_when_it_is_silent(tmp_path: Path) -> None:
    with holder(tmp_path, machine="elsewhere") as process:
        assert not watch(tmp_path, 1.5 * QUICK.stale)  # its heart beats
        process.kill()
        process.wait()
        assert owner.live_owner(tmp_path, QUICK)  # nobody here can look its process up
        assert watch(tmp_path, 10 * QUICK.stale)
        assert not taken(tmp_path)


def test_an_owner_that_was_followed_while_it_slept_ends(tmp_path: Path) -> None:
    with holder(tmp_path, machine="elsewhere") as process:
        process.send_signal(signal.SIGSTOP)
        assert watch(tmp_path, 10 * QUICK.stale)
        with owner.hold(tmp_path, wait=False, pace=QUICK) as mine:
            process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=30)
            assert process.returncode == LOST
            assert "took this cell over" in err
            assert "still" not in out
            assert mine.still()


def test_whoever_was_followed_is_told_before_it_writes(tmp_path: Path) -> None:
    with owner.hold(tmp_path, pace=Pace(beat=1e6)) as mine:
        record = mine.file.read_text().replace(mine.owner.token, "another")
        (mine.file.parent / "000002").write_text(record)
        with pytest.raises(OwnerLostError, match="taken over by another process"):
            owner.confirm(tmp_path)


def test_a_removed_folder_is_nobodys(tmp_path: Path) -> None:
    folder = tmp_path / "cell"
    with owner.hold(folder, pace=Pace(beat=1e6)) as mine:
        for file in mine.file.parent.iterdir():
            file.unlink()
        with pytest.raises(OwnerLostError):
            owner.confirm(folder)
    assert list(mine.file.parent.iterdir()) == []  # releasing makes nothing anew


@pytest.mark.slow
def test_of_eight_who_follow_a_dead_owner_one_wins(tmp_path: Path) -> None:
    for round in range(2):
        folder = tmp_path / str(round)
        with holder(folder) as first:
            first.kill()
        contenders = [start(folder, seconds=0.2) for _ in range(8)]
        ends = [process.communicate(timeout=120) for process in contenders]
        numbers = [out.split()[0] for out, _ in ends]
        # Each held it once, one after another, and none was robbed.
        assert sorted(numbers) == [f"{number:06d}" for number in range(2, 10)]
        assert all(out.endswith("still\n") for out, _ in ends)


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_clocks_neither_rob_nor_block(
    tmp_path: Path, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with holder(tmp_path, machine="elsewhere") as process:
        file = tmp_path / PLACE / "000001"
        monkeypatch.setattr(time, "time", lambda: now + shift)
        for _ in range(20):
            os.utime(file, (now + shift, now + shift))
            assert not watch(tmp_path, 0.1)
        process.kill()
        process.wait()
        os.utime(file, (now + shift, now + shift))
        assert watch(tmp_path, 10 * QUICK.stale)


@pytest.mark.parametrize("content", [b"", b"0\n", b"\xff\xfe", b'0\n{"owner": {"pid": 1}}'])
def test_a_damaged_file_is_given_time_and_then_followed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PLACE).mkdir()
    file = tmp_path / PLACE / "000001"
    file.write_bytes(content)
    assert taken(tmp_path)
    file.write_bytes(content + b" ")  # somebody writes it just now
    assert not watch(tmp_path, QUICK.stale / 2)
    assert watch(tmp_path, 10 * QUICK.stale)
    with owner.hold(tmp_path, wait=False, pace=QUICK) as mine:
        assert mine.file.name == "000002"


def test_a_flipped_bit_in_a_process_id_kills_no_owner(tmp_path: Path) -> None:
    with owner.hold(tmp_path, pace=Pace(beat=1e6)) as mine:
        state, _, rest = mine.file.read_text().partition("\n")
        record = json.loads(rest)
        record["owner"]["pid"] = 2**22 + 1
        mine.file.write_text(f"{state}\n{json.dumps(record)}\n")
        assert owner.live_owner(tmp_path)


def test_file_systems_without_links_have_owners_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with owner.hold(tmp_path):
        assert taken(tmp_path)
    assert not taken(tmp_path)
    assert {file.name for file in (tmp_path / PLACE).iterdir()} == {"000001", "000002"}


def test_a_contender_that_slept_takes_no_number_that_was_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(owner.KEPT + 3):
        with owner.hold(tmp_path):
            pass
    place = tmp_path / PLACE
    assert len(list(place.iterdir())) == owner.KEPT
    # As if it had read the folder when 000001 was the newest.
    seen = owner._newest(place)
    assert seen is not None
    first = owner._Entry(place / "000001", seen.content, True, seen.owner)
    monkeypatch.setattr(owner, "_newest", lambda place: first)
    assert owner._take(tmp_path, QUICK) is None
    assert len(list(place.iterdir())) == owner.KEPT
