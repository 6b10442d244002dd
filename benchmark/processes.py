"""Processes told apart: whether the one that left its mark on disk still runs.

A process id alone says little: ids are given again, and mean nothing on another machine or in
another container. No wall clock is asked, so setting the clock changes no answer.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from pathlib import Path

import psutil

from benchmark.atomic import digest

ENDED = ("Z", "X")
"""States in /proc/PID/stat of a process that runs no more: its parent has not asked yet."""


@functools.cache
def this_machine() -> str:
    """16 hex digits for this boot of this machine and this container's process ids.

    Two processes with the same answer can look each other up by their ids. Where in doubt the
    answers differ, and the other process is judged by its heartbeat.
    """
    return digest([socket.gethostname(), _boot(), _namespace()], 16)


def start_of(pid: int) -> float | None:
    """When the process started, in the system's own count; None when it does not run.

    Linux counts clock ticks since the machine started, which no change of the clock moves.
    PermissionError when the system does not tell about other users' processes.
    """
    if not sys.platform.startswith("linux"):
        return _start_elsewhere(pid)
    try:
        # The name in the second field may hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        _refuse_hidden(pid)
        return None
    return None if fields[0] in ENDED else float(fields[19])


def running(pid: int, started: float) -> bool:
    """Whether the process of this id and start still runs. In doubt it does."""
    try:
        return start_of(pid) == started
    except PermissionError:
        return True


def _refuse_hidden(pid: int) -> None:
    """PermissionError when the process is there, and this one may not see it."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return
    raise PermissionError(f"process {pid} is hidden")


def _start_elsewhere(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} is hidden") from error
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{psutil.boot_time():.0f}"


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
