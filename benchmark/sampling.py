"""A thread that looks at what keeps no peak of its own, and what the looking costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

SAMPLING_SECONDS = 0.05
"""The shortest pause between two looks."""
MOST_OF_TIME = 0.002
"""The share of one core's time that looking may take: after a slow look the pause is longer."""

Look = Callable[[], Mapping[str, int | None]]
"""Measure -> its value right now; None where it could not be read."""


class Sampler:
    """Takes `look` from `start` to `stop`, at both of them and in between in a thread.

    A peak between two looks is missed. A measure that once could not be read has no peak.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._highest: dict[str, int | None] = {}
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="sampling", daemon=True)
        self.looks = 0
        self.seconds = 0.0
        """Processor time that the thread took until its last look was done."""

    def start(self) -> None:
        """Looks once, then goes on looking in a thread until it is stopped."""
        self._take()
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """The highest value of each measure. Raises what a look in the thread raised."""
        self.end()
        if self._error is not None:
            raise self._error
        self._take()
        return self.highest()

    def highest(self) -> dict[str, int]:
        """The highest value of each measure so far."""
        return {name: value for name, value in self._highest.items() if value is not None}

    def end(self) -> None:
        """Ends the thread, whatever it has seen."""
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        pause = SAMPLING_SECONDS
        while self._error is None and not self._stop.wait(pause):
            try:
                self._take()
            except Exception as error:
                self._error = error
            # Waking up is part of what a look costs, and half of it.
            before, self.seconds = self.seconds, time.thread_time()
            pause = max(SAMPLING_SECONDS, (self.seconds - before) / MOST_OF_TIME)

    def _take(self) -> None:
        self.looks += 1
        for name, value in self._look().items():
            earlier = self._highest.get(name, 0)
            self._highest[name] = None if value is None or earlier is None else max(earlier, value)
