"""A plan in parts that any scheduler can work on: equal, always the same, with no result of theirs.

Cells that share prior images stay in one shard where that leaves the shards equal, so that the
images are made once and not once per node with a cache of its own.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.errors import UserError
from benchmark.order import prior_set
from benchmark.plan import Cell


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of `count` parts."""

    number: int
    count: int

    def of(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells of this part, in the order of the plan."""
        return split(cells, self.count)[self.number - 1]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """ "2/8" is the second of eight parts. UserError for anything else."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--shard {text!r}: expected i/N with i from 1 to N, such as 2/8")
    return Shard(int(found[1]), int(found[2]))


def split(cells: Sequence[Cell], count: int) -> list[list[Cell]]:
    """`count` parts whose sizes differ by one at most; some are empty with few cells.

    Largest sets of prior images first, each into the part with the most room and, where it does not
    fit, on into the next; then the other cells one by one, so that every part gets some of every
    method. The same cells in the same order always give the same parts.
    """
    groups: dict[str, list[int]] = {}
    others = []
    for index, cell in enumerate(cells):
        name = prior_set(vars(cell))
        if name is None:
            others.append([index])
        else:
            groups.setdefault(name, []).append(index)
    size, rest = divmod(len(cells), count)
    # (minus the room left, part), the roomiest first and of equals the first part: the outcome
    # depends on nothing but the cells.
    room = [(-(size + (part < rest)), part) for part in range(count)]
    parts: list[list[int]] = [[] for _ in range(count)]
    for group in [*sorted(groups.values(), key=len, reverse=True), *others]:
        left = group
        while left:
            free, part = room[0]
            taken, left = left[:-free], left[-free:]
            parts[part] += taken
            heapq.heapreplace(room, (free + len(taken), part))
    return [[cells[index] for index in sorted(part)] for part in parts]
