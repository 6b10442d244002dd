"""A table before it is LaTeX, Markdown or anything else: a data frame of typed cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from reports import format as show

TEXT, LONG_TEXT, NUMBER = "text", "long text", "number"


@dataclass(frozen=True)
class Cell:
    """One entry: a number with its unit and perhaps its interval, or a text, or neither."""

    value: float | str | None
    unit: str = "score"
    """A unit of `reports.format.of_unit`."""
    low: float = math.nan
    high: float = math.nan
    rank: str = ""
    """`best` of its column, `tied` with the best (not told apart from it), or neither."""
    kind: str = ""
    """How a cost came about: measured, exact, analytic or predicted."""
    absent: str = show.MISSING
    """What stands there without a value."""

    @property
    def number(self) -> str:
        """The value as it is read, in full length; `absent` without one."""
        if self.value is None:
            return self.absent
        if isinstance(self.value, str):
            return self.value
        return self.absent if math.isnan(self.value) else show.of_unit(self.value, self.unit)

    @property
    def interval(self) -> str:
        """`[0.551, 0.660]`, or nothing."""
        return show.brackets(self.low, self.high, self.unit)

    @property
    def missing(self) -> bool:
        """Whether there is no value: None, or a number that is NaN."""
        return self.value is None or (not isinstance(self.value, str) and math.isnan(self.value))


NOTHING = Cell(None)


@dataclass(frozen=True)
class Head:
    """The head of one column."""

    lines: tuple[str, ...]
    """The title, cut where narrow formats may break it."""
    kind: str = NUMBER
    """`text`, `long text` (which may be broken into lines) or `number`."""
    printed: bool = True
    """Whether LaTeX has the column too, which has less room than the others."""

    @property
    def title(self) -> str:
        """The head's lines as one."""
        return " ".join(self.lines)


@dataclass(frozen=True)
class Table:
    """A table: heads, cells, and what a reader must know to read it."""

    name: str
    """The stem of its files, after `table_`: letters of ours, never a user's text."""
    caption: str
    heads: tuple[Head, ...]
    cells: pd.DataFrame
    """One column per head, in order, of `Cell`s."""
    rules: tuple[int, ...] = ()
    """Numbers of the rows above which a line is drawn."""
    notes: tuple[str, ...] = ()

    def rows(self) -> list[list[Cell]]:
        """The cells, row by row."""
        return [list(row) for row in self.cells.itertuples(index=False, name=None)]


def text(value: object) -> Cell:
    """A cell that holds a text; nothing for None and NaN."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return Cell(None if missing else str(value), "text")


def made(
    name: str,
    caption: str,
    heads: list[Head],
    rows: list[list[Cell]],
    rules: tuple[int, ...] = (),
    notes: tuple[str, ...] = (),
) -> Table:
    """A table from rows of cells. ValueError when a row is not as long as the heads."""
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"table {name}: {len(row)} cells under {len(heads)} heads")
    # Columns are numbered: titles come from data and may be alike.
    cells = pd.DataFrame(rows, columns=range(len(heads)), dtype=object)
    return Table(name, caption, tuple(heads), cells, rules, notes)
