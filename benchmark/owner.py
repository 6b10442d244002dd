"""One writer per folder: who owns it, whether the owner lives, and how a dead one is followed.

FOLDER/.owner/000001, 000002, ... are its owners, one file each; the newest counts. A file appears
whole and at most once: it is written under a private name and then linked to its number, which the
file system does for one contender only, on network file systems as well. So of many who follow a
dead owner exactly one gets the next number, and nothing is ever taken out from under an owner.

The first line of a file is a counter that its owner raises every few seconds, in place, or
`released`. A contender finds an owner dead when

- the owner ran on the same machine, and the process of that id and start is gone: at once;
- it ran elsewhere, or its file is damaged, and the file has not changed while the contender's own
  steady clock ran for `Pace.stale` seconds. Wall clocks and the files' times are never asked.

An owner that was suspended for so long that it was followed ends its process when it notices, which
is at its next heartbeat or before it writes what became of the cell.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark import processes
from benchmark.atomic import digest

PLACE = ".owner"
RELEASED = "released"
LOST = 71
"""Exit code of a process that ended because another took its folder over."""
KEPT = 8
"""How many earlier owners' files stay: a contender that slept meanwhile must find them taken."""
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_STATE_WIDTH = 16
_NUMBER = re.compile(r"[0-9]{6,}")


@dataclass(frozen=True)
class Pace:
    """Seconds between heartbeats, of silence until an owner counts as dead, between looks."""

    beat: float = 5.0
    stale: float = 60.0
    poll: float = 0.5


PACE = Pace()


@dataclass(frozen=True)
class Owner:
    """A process that owns a folder. `started`: see `processes.start_of`; `host` is for people."""

    token: str
    machine: str
    host: str
    pid: int
    started: float


class OwnerLostError(Exception):
    """Another process has taken the folder over; this one must write nothing more into it."""


class FolderTakenError(Exception):
    """A live process owns the folder."""


@contextmanager
def hold(folder: Path, wait: bool = True, pace: Pace | None = None) -> Iterator[Ownership]:
    """Owns the folder until the block ends; waits for a live owner to end or release it.

    FolderTakenError instead of waiting where `wait` is False. OSError when the folder cannot be
    written.
    """
    pace = pace or PACE
    while (mine := _take(folder, pace)) is None:
        if not wait:
            raise FolderTakenError(f"{folder} is worked on by another process")
        time.sleep(pace.poll)
    _held[str(folder)] = mine
    mine.start()
    try:
        yield mine
    finally:
        _held.pop(str(folder), None)
        mine.release()


def live_owner(folder: Path, pace: Pace | None = None) -> bool:
    """Whether a process that lives, or may live, owns the folder. Takes nothing away."""
    now = time.monotonic()  # before reading: what was read must not look older than it is
    newest = _newest(folder / PLACE)
    return newest is not None and _lives(newest, now, (pace or PACE).stale)


def holds(folder: Path) -> bool:
    """Whether this very process owns the folder, as far as it knows."""
    mine = _held.get(str(folder))
    return mine is not None and mine.owner.pid == os.getpid()


def confirm(folder: Path) -> None:
    """OwnerLostError when this process owned the folder and was followed. OSError: not readable."""
    if holds(folder) and not _held[str(folder)].still():
        raise OwnerLostError(f"{folder.name} was taken over by another process")


class Ownership:
    """A folder that this process owns. Its heartbeat is a thread that ends with the process."""

    def __init__(self, file: Path, owner: Owner, pace: Pace) -> None:
        self.file = file
        self.owner = owner
        self._pace = pace
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="owner's heartbeat", daemon=True)

    def start(self) -> None:
        """Starts the heartbeat."""
        self._thread.start()

    def still(self) -> bool:
        """Whether the folder is this process's yet."""
        newest = _newest(self.file.parent)
        if newest is None or newest.file != self.file:
            return False
        return newest.owner is not None and newest.owner.token == self.owner.token

    def release(self) -> None:
        """Lets the next one in. A folder that is gone or cannot be written is left as it is."""
        self._stop.set()
        self._thread.join()  # it would take the next owner for a thief
        with contextlib.suppress(OSError):
            _write_state(self.file, RELEASED)

    def _beat(self) -> None:
        beats = 0
        while not self._stop.wait(self._pace.beat):
            try:
                still = self.still()
            except OSError:
                continue  # a file system that does not answer just now tells nothing
            if not still:
                line = "another process took this cell over while this one was suspended: it ends"
                print(line, file=sys.stderr, flush=True)
                os._exit(LOST)
            beats += 1
            with contextlib.suppress(OSError):
                _write_state(self.file, str(beats))


@dataclass(frozen=True)
class _Entry:
    """An owner's file as it was read."""

    file: Path
    content: bytes
    released: bool
    owner: Owner | None
    """None when the file is damaged."""


_held: dict[str, Ownership] = {}
_seen: dict[str, tuple[bytes, float]] = {}
"""File -> what it held and since when by this process's steady clock, of owners elsewhere."""


def _take(folder: Path, pace: Pace) -> Ownership | None:
    """The folder's ownership, or None when somebody else has it."""
    place = folder / PLACE
    place.mkdir(parents=True, exist_ok=True)
    now = time.monotonic()
    newest = _newest(place)
    if newest is not None and _lives(newest, now, pace.stale):
        return None
    number = 1 if newest is None else int(newest.file.name) + 1
    owner = Owner(
        token=secrets.token_hex(8),
        machine=processes.this_machine(),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=processes.start_of(os.getpid()) or 0.0,
    )
    file = place / f"{number:06d}"
    if not _publish(file, owner):
        return None
    numbers = _numbers(place)
    if numbers[-1] != number:
        # This process slept while others came and went, and their files with them.
        file.unlink(missing_ok=True)
        return None
    for old in numbers:
        if old <= number - KEPT:
            (place / f"{old:06d}").unlink(missing_ok=True)
    return Ownership(file, owner, pace)


def _publish(file: Path, owner: Owner) -> bool:
    """Makes `file` say who owns the folder, unless it is there: then False."""
    record = {"owner": asdict(owner), "sum": digest(asdict(owner))}
    content = f"{0:<{_STATE_WIDTH}}\n{json.dumps(record)}\n".encode()
    private = file.with_name(f".{owner.token}")
    try:
        _create(private, content)
        try:
            os.link(private, file)
        except FileExistsError:
            # A network file system may have done it and lost its own answer.
            entry = _read(file)
            return entry is not None and entry.owner == owner
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            # Here others may meet the file empty; they give it `stale` seconds.
            try:
                _create(file, content)
            except FileExistsError:
                return False
    finally:
        private.unlink(missing_ok=True)
    return True


def _create(file: Path, content: bytes) -> None:
    """FileExistsError when the file is there."""
    with file.open("xb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _write_state(file: Path, state: str) -> None:
    """In place: if the file is no more the newest, this changes nothing for anybody."""
    with file.open("r+b") as opened:
        opened.write(f"{state:<{_STATE_WIDTH}}".encode())
        opened.flush()
        os.fsync(opened.fileno())


def _newest(place: Path) -> _Entry | None:
    """The newest owner's file; None when there is none. OSError when the folder does not answer."""
    while numbers := _numbers(place):
        entry = _read(place / f"{numbers[-1]:06d}")
        if entry is not None:
            return entry
    return None


def _numbers(place: Path) -> list[int]:
    try:
        names = os.listdir(place)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def _read(file: Path) -> _Entry | None:
    """None when the file is gone."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    state, _, rest = content.partition(b"\n")
    owner = None
    with contextlib.suppress(ValueError, TypeError, KeyError):
        record = json.loads(rest)
        # A flipped bit in a process id must not make a live owner look dead.
        if digest(record["owner"]) == record["sum"]:
            owner = Owner(**record["owner"])
    return _Entry(file, content, state.strip() == RELEASED.encode(), owner)


def _lives(entry: _Entry, now: float, stale: float) -> bool:
    if entry.released:
        return False
    owner = entry.owner
    if owner is not None and owner.machine == processes.this_machine():
        return processes.running(owner.pid, owner.started)
    seen = _seen.get(str(entry.file))
    if seen is None or seen[0] != entry.content:
        _seen[str(entry.file)] = (entry.content, now)
        return True
    return now - seen[1] < stale
