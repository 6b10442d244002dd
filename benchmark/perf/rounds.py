"""Measuring: one tree or two, in turn, in fresh processes.

A *block* is one fresh process per tree, each of which does every case; a case's units run in turn,
first one tree's, then the other's; which begins changes from block to block. What slows the
machine for a while slows both. What belongs to one process (where its memory lies, how its hash
tables fell out) stays the same within a block and changes between blocks, so that only several
blocks tell it from a change of the code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UNITS = 8
"""Timed units of a case, per tree and block."""
BLOCKS = 6
MOST_BLOCKS = 12
"""For cases that `BLOCKS` blocks leave undecided."""

Block = tuple[tuple[float, ...], ...]
"""Seconds of the processor, one tuple per tree, in the order of measuring."""

# One thread, no network, no GPU, nobody's cache. The C library keeps the memory it has, for giving
# it back and asking again costs as much as it happens to.
SURROUNDINGS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "TBBENCH_EMBEDDINGS_MB": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}


@dataclass
class Measured:
    """What came of one case."""

    blocks: list[Block] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)
    """One per tree."""
    errors: dict[int, str] = field(default_factory=dict)
    """Tree -> why the case did not run there."""


class Worker:
    """A process of `benchmark.perf.worker` on one tree; a new one where the last has died."""

    def __init__(self, tree: Path, scratch: Path, hash_seed: int) -> None:
        self._tree = tree
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        own = {
            "PYTHONPATH": str(tree),
            "PYTHONHASHSEED": str(hash_seed),
            "TBBENCH_CACHE": str(scratch),
        }
        self._environment = inherited | SURROUNDINGS | own
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark.perf.worker"],
            cwd=self._tree,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, order: str) -> None:
        """Sends an order; the worker begins while the caller goes on.

        A process that died of an earlier order is replaced, for this one is not to blame.
        """
        if self._process.poll() is not None:
            self.end()
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `hear` says so

    def hear(self) -> dict[str, Any]:
        """The answer to the last order."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return {"error": f"its process ended (exit code {self._process.wait()})"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Ends the process, if need be in the middle of its work."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # an order that a dead process never read
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def workers(trees: Sequence[Path], hash_seed: int) -> Iterator[list[Worker]]:
    """A fresh process per tree, in the trees' order; all start at once.

    Which tree's process starts first changes with the seed: on a busy machine the first one tends
    to keep a core that is a few percent slower or faster, in every case.
    """
    with ExitStack() as stack:
        made: dict[Path, Worker] = {}
        for tree in reversed(trees) if hash_seed % 2 else trees:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbbench-")))
            made[tree] = Worker(tree, scratch, hash_seed)
            stack.callback(made[tree].end)
        yield [made[tree] for tree in trees]


def measure(
    trees: Sequence[Path],
    names: Sequence[str],
    log: Callable[[str], None],
    undecided: Callable[[Mapping[str, Measured]], Sequence[str]] = lambda measured: (),
) -> dict[str, Measured]:
    """Counts and times the cases on every tree.

    After `BLOCKS` blocks `undecided` says which cases need more, block by block up to
    `MOST_BLOCKS`. A case that fails on a tree is not timed further; its `errors` say why. The cases
    after it are measured all the same, also where it took its process with it.
    """
    measured = {name: Measured() for name in names}
    _count(trees, measured, log)
    for number in range(BLOCKS):
        log(f"block {number + 1} of {BLOCKS}")
        _time(trees, measured, names, number)
    for number in range(BLOCKS, MOST_BLOCKS):
        again = [name for name in undecided(measured) if not measured[name].errors]
        if not again:
            break
        log(f"block {number + 1}, for what is not decided yet: {', '.join(again)}")
        _time(trees, measured, again, number)
    return measured


def _count(
    trees: Sequence[Path], measured: Mapping[str, Measured], log: Callable[[str], None]
) -> None:
    log("counting")
    with workers(trees, 0) as made:
        for name, case in measured.items():
            for worker in made:
                worker.ask(f"count {name}")
            answers = [worker.hear() for worker in made]
            case.errors |= _errors(answers)
            case.counts = [answer.get("counts", {}) for answer in answers]


def _time(
    trees: Sequence[Path], measured: Mapping[str, Measured], names: Sequence[str], number: int
) -> None:
    """One block of the cases that have no error so far."""
    with workers(trees, number) as made:
        for name in names:
            case = measured[name]
            if case.errors:
                continue
            for worker in made:
                worker.ask(f"open {name}")
            case.errors |= _errors([worker.hear() for worker in made])
            if not case.errors:
                _units(made, case, number)
            for worker in made:
                worker.ask("close")
            # What went wrong first is what tells.
            case.errors = _errors([worker.hear() for worker in made]) | case.errors


def _units(made: Sequence[Worker], case: Measured, number: int) -> None:
    """Strictly in turn, so that before every unit the other tree's had the caches: with a change
    of order from pair to pair, half of the units would follow on one of their own and be faster."""
    seconds: list[list[float]] = [[] for _ in made]
    order = range(len(made))
    for _ in range(UNITS):
        for side in reversed(order) if number % 2 else order:
            made[side].ask("unit")
            answer = made[side].hear()
            if "error" in answer:
                case.errors[side] = answer["error"]
                return
            seconds[side].append(answer["seconds"])
    case.blocks.append(tuple(tuple(values) for values in seconds))


def _errors(answers: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    return {side: answer["error"] for side, answer in enumerate(answers) if "error" in answer}
