"""The live view: the page of a run, written again as its cells finish."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmark.collect import stamp
from benchmark.store import Run
from reports.study import Study, merge

POLL_SECONDS = 2.0
REFRESH_SECONDS = 10
"""How often the page loads itself again."""
REST = 4.0
"""Rests this many times as long as the last page took: a fifth of a core at most."""
SETTLED_SECONDS = 10.0
"""For so long must failed cells stay as they are to count as given up, not as tried again."""

Write = Callable[[Study, int | None], Path]
"""Writes the page of a study; the number is how often it loads itself again, None for never.

Whatever it replaces must be there whole at every moment.
"""


def watch(
    path: Path, write: Write, beside: int | None = None, poll: float = POLL_SECONDS
) -> Path | None:
    """Writes the page of the run in `path` now and whenever a cell begins, finishes or fails.

    Ends when all cells are done or given up, or on Ctrl-C, with a page that does not load itself
    again. Only reads the run, at the lowest priority. `beside` is the parent process, a
    run that this is the live page of: then it ends with that process or on Ctrl-C alone, and leaves
    the last page to it. Returns the page's path, None when none was written.
    """
    lower_priority()
    page: Path | None = None
    last, since, rest = "", 0.0, 0.0
    states: set[str] = set()
    try:
        while beside is None or os.getppid() == beside:
            run = Run.open(path)
            now = stamp(run)
            if now != last:
                last = now
                begun = time.monotonic()
                study = merge([run])
                states = {info["status"] for info in study.cell_info()}
                if states == {"done"} and beside is None:
                    break
                page = write(study, REFRESH_SECONDS)
                since = time.monotonic()
                rest = REST * (since - begun)
            given_up = "pending" not in states and time.monotonic() - since >= SETTLED_SECONDS
            if given_up and beside is None:
                break
            time.sleep(max(poll, rest))
            rest = 0.0
    except KeyboardInterrupt:
        pass
    return page if beside is not None else write(merge([Run.open(path)]), None)


def lower_priority() -> None:
    """Everything else on this machine comes first."""
    lowest = getattr(psutil, "IDLE_PRIORITY_CLASS", 19)
    psutil.Process().nice(lowest)
