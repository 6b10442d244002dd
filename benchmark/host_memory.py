"""Resident memory of this process and of the processes below it, in bytes."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path

import psutil


def reset_peak() -> bool:
    """Starts this process's peak afresh; says whether the system keeps one and allows that.

    Linux does: proc(5), clear_refs. Where it does not, `resident` must be looked at.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return peak() > 0
    except OSError:
        return False


def peak() -> int:
    """Highest resident memory of this process since `reset_peak`, kept by the kernel; else 0."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def resident(processes: Iterable[int]) -> int:
    """Their resident memory now, summed; pages that they share count once for each of them."""
    total = 0
    for process in processes:
        try:
            total += psutil.Process(process).memory_info().rss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def descendants() -> list[int]:
    """Ids of all processes below this one.

    Linux lists a thread's children, which is 50 times quicker than asking every process of the
    machine for its parent. A process that starts or ends just now may be missed.
    """
    if not _lists_children():
        return [process.pid for process in psutil.Process().children(recursive=True)]
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = _children(waiting.pop())
        found += below
        waiting += below
    return found


@functools.cache
def _lists_children() -> bool:
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _children(process: int) -> list[int]:
    """Called many times a second while others compute: plain system calls, and few of them."""
    tasks = f"/proc/{process}/task"
    try:
        threads = os.listdir(tasks)
    except OSError:
        return []
    found = []
    for thread in threads:
        try:
            descriptor = os.open(f"{tasks}/{thread}/children", os.O_RDONLY)
        except OSError:
            continue
        try:
            found += [int(child) for child in os.read(descriptor, 1 << 16).split()]
        except OSError:  # the thread ended meanwhile
            continue
        finally:
            os.close(descriptor)
    return found


class ChildrenMemory:
    """Looks at the memory of the processes below this one.

    A process counts from the second look at which it is there: just started it is still a copy of
    its parent, with the parent's memory in its name.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()

    def look(self) -> tuple[list[int], int]:
        """Ids of all processes below this one, and the resident bytes of those that count."""
        there = descendants()
        counted = [process for process in there if process in self._known]
        self._known = set(there)
        return there, resident(counted)
