"""Whether this process was stopped and let go on: Ctrl-Z and `fg`, SIGSTOP, a scheduler's suspend.

The system tells a process by SIGCONT that it goes on. A container or virtual machine that stands
still as a whole is not told, nor are we.
"""

import signal
from typing import Any

_pauses = 0


def watch() -> None:
    """Counts from now on. To be called in the process's main thread."""
    signal.signal(signal.SIGCONT, _count)


def _count(*_: Any) -> None:
    global _pauses
    _pauses += 1


def pauses() -> int:
    """How often this process was let go on since `watch`; 0 without it."""
    return _pauses
