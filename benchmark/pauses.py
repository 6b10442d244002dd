"""Whether this process was stopped and let go on: Ctrl-Z and `fg`, SIGSTOP, a scheduler's suspend,
a container that was frozen.

The system tells a process by SIGCONT that it goes on. Of a frozen container no process is told: a
thread that should wake up twice a second sees that it did not, and that nothing else of the process
ran either. What stood still for less than `STILL_SECONDS` is not noticed, nor is a virtual machine
whose clock stood still with it: no time was counted then.
"""

import signal
import threading
import time
from typing import Any

TICK_SECONDS = 0.5
STILL_SECONDS = 3.0
IDLE_SHARE = 0.05
"""So little processor time in a gap means that nothing of the process ran."""

_pauses = 0


def watch() -> None:
    """Counts from now on. To be called in the process's main thread."""
    signal.signal(signal.SIGCONT, _count)
    threading.Thread(target=_tick, name="pauses", daemon=True).start()


def _count(*_: Any) -> None:
    global _pauses
    _pauses += 1


def _tick() -> None:
    seen, worked = time.monotonic(), time.process_time()
    while True:
        time.sleep(TICK_SECONDS)
        now, work = time.monotonic(), time.process_time()
        gap = now - seen
        if gap > STILL_SECONDS and work - worked < IDLE_SHARE * gap:
            _count()
        seen, worked = now, work


def pauses() -> int:
    """How often this process was let go on since `watch`, at least; 0 without it. A pause that both
    the system and the thread tell of counts twice."""
    return _pauses
