"""Tables as CSV and JSON, with the numbers in full; a spreadsheet takes no text for a formula."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports import format as show
from reports.cells import TEXT, Cell, Table
from reports.markup import notes

if TYPE_CHECKING:
    import pandas as pd

WIDE = "\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
FORMULA = f"=+-@\N{FULLWIDTH EQUALS SIGN}{WIDE}"
"""Beginnings that spreadsheets take for a formula."""


def csv_text(table: Table) -> str:
    """The numbers in full: per column its value, and where there are any, low, high, mark, kind."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [[row[number] for row in table.rows()] for number in range(len(table.heads))]
    parts = [
        _csv_columns(head.title, cells) for head, cells in zip(table.heads, columns, strict=True)
    ]
    wide = [column for part in parts for column in part]
    writer.writerow([harmless(title) for title, _ in wide])
    writer.writerows(zip(*(entries for _, entries in wide), strict=True))
    return out.getvalue()


def json_text(table: Table) -> str:
    """Everything: per cell its value, unit, interval, mark, kind, and the text as it is read."""
    content = {
        "name": table.name,
        "caption": table.caption,
        "columns": [head.title for head in table.heads],
        "rows": [[_record(cell) for cell in row] for row in table.rows()],
        "notes": notes(table),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def frame_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV, its numbers in full; texts and titles are `harmless`."""
    shown = frame.map(lambda value: harmless(value) if isinstance(value, str) else value)
    return shown.rename(columns=lambda name: harmless(str(name))).to_csv(index=False)


def _csv_columns(title: str, cells: Sequence[Cell]) -> list[tuple[str, list[object]]]:
    made: list[tuple[str, list[object]]] = [(title, [_csv_value(cell) for cell in cells])]
    if any(cell.interval for cell in cells):
        made.append((f"{title} low", [_csv_number(cell.low) for cell in cells]))
        made.append((f"{title} high", [_csv_number(cell.high) for cell in cells]))
    if any(cell.rank for cell in cells):
        made.append((f"{title} mark", [cell.rank for cell in cells]))
    if any(cell.kind or cell.absent == show.NOT_MEASURED for cell in cells):
        made.append((f"{title} kind", [_kind(cell) for cell in cells]))
    return made


def _kind(cell: Cell) -> str:
    """How a figure came about; `not measured` where it should be there and is not."""
    return show.NOT_MEASURED if cell.missing and cell.absent == show.NOT_MEASURED else cell.kind


def _csv_value(cell: Cell) -> object:
    if cell.value is None:
        return ""
    return harmless(cell.value) if isinstance(cell.value, str) else _csv_number(cell.value)


def _csv_number(value: float) -> object:
    if math.isnan(value):
        return ""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def harmless(text: str) -> str:
    """A text that a spreadsheet shows: behind an apostrophe where it would calculate."""
    line = show.plain(text, limit=None)
    return f"'{line}" if line[:1] in tuple(FORMULA) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text) is not None


def _record(cell: Cell) -> dict[str, Any]:
    value = cell.value
    if not isinstance(value, str) and (value is None or not math.isfinite(value)):
        value = None
    record: dict[str, Any] = {"value": value, "text": cell.number}
    if not isinstance(value, str) and cell.unit != TEXT:
        record["unit"] = cell.unit
    if cell.interval:
        record |= {"low": cell.low, "high": cell.high}
    for name in ("rank", "kind"):
        if getattr(cell, name):
            record[name] = getattr(cell, name)
    return record
