"""Training that stops after every step until it is told to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable


class _EnoughError(Exception):
    """Raised inside the training to end it."""


class Stepper:
    """Runs `train` in a thread; `step` lets it go on to the end of its next step.

    `train` is given what it must call after every step. An error in it is raised by `step`.
    """

    def __init__(self, train: Callable[[Callable[[], None]], None]) -> None:
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._enough = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(train,), daemon=True)
        self._thread.start()

    def step(self) -> None:
        """One step. Raises what the training raised, RuntimeError when it is over."""
        if self._ended:
            raise RuntimeError("the training has ended; it must be given more steps")
        self._go.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Ends the training, which tidies up after itself."""
        self._enough = True
        self._go.release()
        self._thread.join()

    def _run(self, train: Callable[[Callable[[], None]], None]) -> None:
        self._go.acquire()
        try:
            if not self._enough:
                train(self._pause)
                raise RuntimeError("the training has ended; it must be given more steps")
        except _EnoughError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._ended = True
            self._done.release()

    def _pause(self) -> None:
        self._done.release()
        self._go.acquire()
        if self._enough:
            raise _EnoughError
