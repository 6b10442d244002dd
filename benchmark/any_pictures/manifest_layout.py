"""A CSV or Parquet table with the columns `image, subject, prompt, seed` and perhaps `method`.

`image` is a path relative to the manifest. `prompt` is a prompt's id, its template or its text with
the class noun alone. Other columns are left alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.any_pictures.records import LONGEST_NAME, Problem, Reading, Record, method_name
from benchmark.errors import UserError
from benchmark.subjects import unknown

SUFFIXES = (".csv", ".parquet")
NEEDED = ("image", "subject", "prompt", "seed")
EXTRA = "more fields than columns; a text with commas belongs in double quotes"


def read(file: Path, method: str) -> Reading:
    """One record per row; a row that is not complete is a problem.

    `method` is used where there is no column of that name. UserError for a table that cannot be
    read or lacks a column.
    """
    reading = Reading("manifest", file)
    for line, row in _rows(file):
        where = f"{file.name}, row {line}"
        fault = _fault(row)
        name = row.get("method", method)
        if not fault:
            try:
                name = method_name(name, where)
            except UserError as error:
                fault = str(error).removeprefix(f"{where}: ")
        if fault:
            known = name if name.isprintable() and len(name) <= LONGEST_NAME else ""
            reading.problems.append(Problem("bad-row", fault, where, known, row["subject"]))
            continue
        reading.records.append(
            Record(
                file=file.parent / row["image"],
                where=f"{row['image']} ({where})",
                method=name,
                subject=row["subject"],
                prompt=row["prompt"],
                spelling="words",
                seed=int(row["seed"]),
            )
        )
    return reading


def _fault(row: dict[str, str]) -> str:
    """What is wrong with a row; empty when nothing is."""
    if EXTRA in row:
        return EXTRA
    for column in NEEDED:
        if not row[column]:
            return f"no {column}"
    if not re.fullmatch(r"[0-9]{1,18}", row["seed"]):
        return f"seed {row['seed']!r} is no whole number from 0 up"
    if "\0" in row["image"]:
        return "the image's path has a zero byte in it"
    return ""


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and values of each row, stripped; the header of a CSV file is row 1."""
    try:
        if file.suffix.lower() == ".parquet":
            columns, rows = _parquet(file)
        else:
            columns, rows = _csv(file)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{file} cannot be read as a manifest: {reason}") from error
    for column in NEEDED:
        if column not in columns:
            raise UserError(
                f"{file}: {unknown('column', column, columns)}; a manifest has the columns "
                "image, subject, prompt, seed and perhaps method"
            )
    for number, row in rows:
        yield number, {name: _text(value) for name, value in row.items()}


def _csv(file: Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, restkey=EXTRA, restval="", strict=True)
        rows = [(reader.line_num, row) for row in reader]
        return list(reader.fieldnames or []), rows


def _parquet(file: Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    import pandas as pd

    frame = pd.read_parquet(file)
    records = [
        {str(name): value for name, value in row.items()} for row in frame.to_dict("records")
    ]
    return [str(name) for name in frame.columns], list(enumerate(records, start=1))


def _text(value: Any) -> str:
    """A cell of the table as text; what is missing is empty, 3.0 is 3."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
