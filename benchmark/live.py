"""The live page of a run: a process of its own, of low priority, that rewrites the report."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

PATIENCE_SECONDS = 20.0
"""How long the page may take to end when it is told to."""


@contextmanager
def live_page(run: Path, console: Console) -> Iterator[None]:
    """Keeps the page of the run in folder `run` up to date until the block ends.

    The process only reads the run, has one thread and the lowest priority, and ends with this one
    however that ends. An error of its own does not touch the run: it is told at the end.
    """
    arguments = ["report", "--watch", str(run), "--beside", str(os.getpid())]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmark.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the run, which ends this in its own time
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )
        page = run / "report" / "index.html"
        console.print(f"live page: {page}", markup=False, highlight=False, soft_wrap=True)
        try:
            yield
        finally:
            early = process.poll()
            if early is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if early:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().splitlines()
                line = said[-1] if said else f"exit code {early}"
                console.print(f"the live page ended early: {line}", markup=False, highlight=False)
