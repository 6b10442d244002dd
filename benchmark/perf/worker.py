"""`python -m benchmark.perf.worker`: does what it is told, a line at a time, and answers in JSON.

open CASE   sets the case up and runs two units to warm it; answers {}
unit        runs one unit; answers {"seconds": of the processor's time}
close       lets go of the case; answers {}
count CASE  answers {"counts": {name: value}}

An answer with "error" takes the place of any of these; the worker goes on. The end of its input
ends it. What the cases print goes nowhere, for the answers are on standard output.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark.perf.case import Work
from benchmark.perf.suite import CASES

WARM_UNITS = 2


class Server:
    """The worker's state: at most one case at a time."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def answer(self, line: str) -> dict[str, Any]:
        """Does what the line says. Whatever goes wrong is the answer."""
        order, _, name = line.strip().partition(" ")
        try:
            if order == "open":
                self._open(name)
                for _ in range(WARM_UNITS):
                    self._timed()
                # What is there by now stays: no collection between units need look at it again.
                gc.collect()
                gc.freeze()
                return {}
            if order == "unit":
                return {"seconds": self._timed()}
            if order == "close":
                self._close()
                return {}
            if order == "count":
                counts = self._open(name).counts()
                self._close()
                return {"counts": counts}
            return {"error": f"unknown order {order!r}"}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _open(self, name: str) -> Work:
        self._close()
        self._folder = tempfile.TemporaryDirectory()
        self._work = CASES[name].open(Path(self._folder.name))
        return self._work

    def _timed(self) -> float:
        """Seconds of the processor for one unit; garbage is collected before it, not in it."""
        if self._work is None:
            raise RuntimeError("no case is open")
        gc.collect()
        gc.disable()
        try:
            begin = time.process_time()
            self._work.unit()
            return time.process_time() - begin
        finally:
            gc.enable()

    def _close(self) -> None:
        gc.unfreeze()
        work, folder = self._work, self._folder
        self._work = self._folder = None
        if work is not None:
            work.close()
        if folder is not None:
            folder.cleanup()


def main() -> None:
    """Answers until there are no more orders."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import torch

    torch.set_num_threads(1)
    server = Server()
    for line in sys.stdin:
        answers.write(json.dumps(server.answer(line)) + "\n")
        answers.flush()
    server._close()


if __name__ == "__main__":
    main()
