"""Tables as the page shows them: every cell with its text and the number that it sorts by."""

from __future__ import annotations

import tomllib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from reports import format as show
from reports.cells import LONG_TEXT, Table
from reports.figures import mark
from reports.leads import Lead
from reports.page.material import Source
from reports.tables import KINDS, Column, marked, values

LONG = 40
"""Columns with a text of more characters than this are wrapped."""


@dataclass(frozen=True)
class Head:
    """A column's title."""

    text: str
    under: str = ""
    """A second line, such as the encoder."""
    wide: bool = False
    """Whether it holds sentences."""


@dataclass(frozen=True)
class Entry:
    """One cell of a table."""

    text: str
    under: str = ""
    """A second line, such as the interval."""
    value: float | str = ""
    """What it sorts by; empty: its text."""
    best: bool = False
    tied: bool = False
    """Whether it is not told apart from the best."""
    colour: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that stay together however the table is sorted."""

    title: str
    rows: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class Grid:
    """A table of the page."""

    name: str
    """Of the table's region, for those who hear the page; no two alike."""
    heads: tuple[Head, ...]
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        """How many rows there are, over all blocks."""
        return sum(len(block.rows) for block in self.blocks)


def score_grid(
    name: str, table: pd.DataFrame, shown: Sequence[Column], found_leads: Mapping[Column, Lead]
) -> Grid:
    """A summary's scores in some columns: methods, then controls, then real photos."""
    tied = {column: {score.label for score in lead.tied} for column, lead in found_leads.items()}
    found = {column: values(table, column) for column in shown}
    winners = {column: marked(table, column) for column in shown}
    blocks = []
    for kind in KINDS:
        rows = []
        for row in _rows_of_kind(table, kind):
            label = str(row["label"])
            if not any(label in scores for scores in found.values()):
                continue
            colour = "" if kind == "real photos" else mark(str(row["method"])).colour
            entries = [Entry(label, colour=colour), _counts(row)]
            for column in shown:
                score = found[column].get(label)
                if score is None:
                    entries.append(Entry(show.MISSING))
                    continue
                span = show.short_interval(score.low, score.high, 3)
                won = label in winners[column]
                level = not won and label in tied.get(column, ())
                entries.append(Entry(show.number(score.mean), span, score.mean, won, level))
            rows.append(tuple(entries))
        if rows:
            blocks.append(Block({"control": "controls"}.get(kind, kind), tuple(rows)))
    heads = [Head("method"), Head("subjects", "images")]
    heads += [Head(f"{c.name} {c.arrow}".strip(), c.encoder or "") for c in shown]
    return Grid(name, tuple(heads), tuple(blocks))


def text_grid(name: str, texts: pd.DataFrame, numbers: pd.DataFrame | None = None) -> Grid | None:
    """A frame of texts; None when it is empty. `numbers` has the same rows in the same order.

    A column sorts by the column of `numbers` with its name, or its name and a unit in brackets.
    """
    if texts.empty:
        return None
    heads, sorts = [], []
    for title in texts.columns:
        wide = any(len(str(text)) > LONG for text in texts[title])
        heads.append(Head(str(title), wide=wide))
        sorts.append(_numbers(str(title), numbers, len(texts)))
    rows = tuple(
        tuple(
            Entry(
                show.MISSING if pd.isna(text) else str(text),
                value="" if pd.isna(values[place]) else float(values[place]),
            )
            for text, values in zip(row, sorts, strict=True)
        )
        for place, row in enumerate(texts.itertuples(index=False))
    )
    return Grid(name, tuple(heads), (Block("", rows),))


def grid_of(table: Table) -> Grid:
    """A table of typed cells as the page shows it."""
    heads = tuple(
        Head(head.lines[0], " ".join(head.lines[1:]), wide=head.kind == LONG_TEXT)
        for head in table.heads
    )
    rows = [
        tuple(
            Entry(
                cell.number,
                cell.interval,
                "" if cell.missing or isinstance(cell.value, str) else float(cell.value or 0.0),
                best=cell.rank == "best",
                tied=cell.rank == "tied",
            )
            for cell in row
        )
        for row in table.rows()
    ]
    edges = [0, *table.rules, len(rows)]
    blocks = [Block("", tuple(rows[start:end])) for start, end in pairwise(edges) if start < end]
    return Grid(f"{table.name}: {table.caption}", heads, tuple(blocks))


def failed_grid(failures: Sequence[Mapping[str, Any]]) -> Grid | None:
    """Failed cells with their reason."""
    return text_grid(
        "failed cells",
        pd.DataFrame(
            [
                {
                    "cell": f"{cell['method']} ({cell['preset']})",
                    "subject": cell["subject"],
                    "training seed": str(cell["train_seed"]),
                    "attempts": str(cell["attempts"]),
                    "stage": cell.get("stage"),
                    "kind": cell["kind_of_failure"],
                    "reason": whole(str(cell["message"])),
                    "folder": f"cells/{cell['key']}",
                }
                for cell in failures
            ]
        ),
    )


def log_tails(failures: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(the cell in words, the end of its log) of the failed cells that left one."""
    return [
        (
            f"{cell['method']} ({cell['preset']}), {cell['subject']}, training seed "
            f"{cell['train_seed']}",
            whole(str(cell["log_tail"])),
        )
        for cell in failures
        if cell.get("log_tail")
    ]


def facts_grid(name: str, facts: Mapping[str, Mapping[str, Any]]) -> Grid | None:
    """Nested facts of every run side by side; what is not known says so."""
    by_run = {run: dict(flat(content)) for run, content in facts.items()}
    names = list(dict.fromkeys(fact for content in by_run.values() for fact in content))
    frame = pd.DataFrame({"": names})
    for run, content in by_run.items():
        frame[run] = [content.get(fact, show.MISSING) for fact in names]
    return text_grid(name, frame)


def configuration_changes(sources: Sequence[Source]) -> Grid | None:
    """Settings in which the runs differ; None for one run, or when there are none."""
    found = {source.name: dict(flat(tomllib.loads(source.configuration))) for source in sources}
    names = dict.fromkeys(name for content in found.values() for name in content)
    differing = [n for n in names if len({content.get(n) for content in found.values()}) > 1]
    frame = pd.DataFrame({"setting": differing})
    for run, content in found.items():
        frame[run] = [content.get(name, "not set") for name in differing]
    return text_grid("differences in configuration", frame)


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested facts as (name, text) lines; bytes in their units."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name} · ")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for number, item in enumerate(value):
                yield from flat(item, f"{prefix}{name} {number} · ")
        elif name.endswith("_bytes") and isinstance(value, int | float):
            yield f"{prefix}{name.removesuffix('_bytes')}", show.size(value)
        else:
            yield f"{prefix}{name}", "none" if value in (None, [], "") else str(value)


def whole(text: str) -> str:
    """The text with a question mark for half a surrogate pair, which cannot be written."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _rows_of_kind(table: pd.DataFrame, kind: str) -> list[dict[Hashable, Any]]:
    """The first row of each method of a kind, with the most subjects that any column has."""
    rows = table[table["kind"] == kind]
    most = rows.groupby("label")["subjects"].transform("max")
    return rows.assign(subjects=most).drop_duplicates("label").to_dict("records")


def _counts(row: Mapping[Hashable, Any]) -> Entry:
    """How many subjects, and beneath how many pictures."""
    images = show.MISSING if pd.isna(row["images"]) else str(int(row["images"]))
    return Entry(str(row["subjects"]), images, float(row["subjects"]))


def _numbers(title: str, numbers: pd.DataFrame | None, rows: int) -> Sequence[Any]:
    found = [] if numbers is None else [str(name) for name in numbers.columns]
    for name in found:
        if numbers is not None and (name == title or name.startswith(f"{title} (")):
            column = pd.to_numeric(numbers[name], errors="coerce")
            return list(column)
    return [float("nan")] * rows
