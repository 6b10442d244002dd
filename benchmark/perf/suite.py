"""All cases of the gate, by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from benchmark.errors import UserError
from benchmark.perf.stages import STAGES
from benchmark.perf.training import TRAINING

CASES = {case.name: case for case in [*TRAINING, *STAGES]}


def choose(patterns: Sequence[str]) -> list[str]:
    """Names of the cases that match any of the patterns, in the suite's order; none: all.

    A pattern is a name in which * stands for anything. UserError when one matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in CASES):
            raise UserError(
                f"--case {pattern!r} matches no case; * stands for anything, and the cases are: "
                f"{', '.join(CASES)}"
            )
    return [name for name in CASES if not patterns or any(fnmatchcase(name, p) for p in patterns)]
