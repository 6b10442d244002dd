"""The files of a blind study: its key, and the answers that its page exports."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.ab_study import CHOICES, Key, Pair
from benchmark.errors import UserError

COLUMNS = ("study", "rater", "pair", "left", "right", "choice", "seconds")
"""Of answers.csv: `left` and `right` are the pictures' ids as they stood on the screen."""
VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Pair(_Part):
    id: str
    subject: str
    prompt_id: str
    prompt: str
    seed: int
    train_seed: int
    pictures: Annotated[dict[str, str], Field(min_length=2, max_length=2)]


class _Key(_Part):
    version: int
    study: str
    question: str
    pairs: Annotated[list[_Pair], Field(min_length=1)]


def key_content(key: Key) -> dict[str, object]:
    """key.json's content; `read_key` reads it back."""
    pairs = [
        {
            "id": pair.id,
            "subject": pair.subject,
            "prompt_id": pair.prompt_id,
            "prompt": pair.prompt,
            "seed": pair.seed,
            "train_seed": pair.train_seed,
            "pictures": dict(pair.pictures),
        }
        for pair in key.pairs.values()
    ]
    return {"version": VERSION, "study": key.study, "question": key.question, "pairs": pairs}


def read_key(path: Path) -> Key:
    """The key of a blind study. UserError when the file is none."""
    fix = "give the key-*.json that was written beside the page"
    try:
        found = _Key.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"--key {path}: {error.strerror}; {fix}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise UserError(f"--key {path} is no key of a blind study ({what}); {fix}") from error
    if found.version != VERSION:
        raise UserError(f"--key {path} is of version {found.version}, not {VERSION}; {fix}")
    pairs = {pair.id: Pair(**pair.model_dump()) for pair in found.pairs}
    return Key(found.study, found.question, pairs)


def read_answers(paths: Sequence[Path], key: Key) -> list[dict[str, str]]:
    """All answers of these files, each rater's answer to a pair once.

    UserError for a file that cannot be read, answers of another study, a pair, picture or choice
    that the key does not know, a rater who answered a pair in two ways, and no answers at all.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in paths:
        for line, row in _rows(path):
            where = f"{path} line {line}"
            _check(row, key, where)
            named = (row["rater"], row["pair"])
            earlier = found.setdefault(named, row)
            if _picture(earlier) != _picture(row):
                raise UserError(
                    f"{where}: rater {row['rater']!r} answered pair {row['pair']!r} before, and "
                    "otherwise; remove one of the answers, or give raters names of their own"
                )
    if not found:
        raise UserError(
            f"{', '.join(map(str, paths))}: no answers; the page's button writes a file of them"
        )
    return list(found.values())


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line, answer) of a file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise UserError(
                    f"{path} has no column {lacking[0]!r}; expected {','.join(COLUMNS)}, as the "
                    "page of the study writes them"
                )
            return [(reader.line_num, _whole(row, path, reader.line_num)) for row in reader]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give the CSV that a rater sent") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV file ({error}); give the one a rater sent") from error


def _whole(
    row: Mapping[str | None, str | list[str] | None], path: Path, line: int
) -> dict[str, str]:
    values = {name: row[name] for name in COLUMNS}
    whole = {name: value.strip() for name, value in values.items() if isinstance(value, str)}
    if len(whole) < len(COLUMNS) or None in row:
        raise UserError(f"{path} line {line}: expected {len(COLUMNS)} values: {','.join(COLUMNS)}")
    # "Anna " is anna: as two people she would agree with herself.
    return {**whole, "rater": whole["rater"].casefold()}


def _check(row: Mapping[str, str], key: Key, where: str) -> None:
    if row["study"] != key.study:
        raise UserError(
            f"{where}: an answer to study {row['study']!r}, but the key is of {key.study!r}; give "
            "the key that was written beside that study's page"
        )
    if not row["rater"]:
        raise UserError(f"{where}: the rater has no name; write one into the column 'rater'")
    if row["pair"] not in key.pairs:
        raise UserError(f"{where}: pair {row['pair']!r} is not in the key; was the file changed?")
    if {row["left"], row["right"]} != set(key.pairs[row["pair"]].pictures):
        raise UserError(
            f"{where}: pictures {row['left']!r} and {row['right']!r} are not those of pair "
            f"{row['pair']!r}; was the file changed?"
        )
    if row["choice"] not in CHOICES:
        raise UserError(f"{where}: choice {row['choice']!r}; expected one of {', '.join(CHOICES)}")


def _picture(row: Mapping[str, str]) -> str:
    """The id of the chosen picture, or `same`."""
    return row[row["choice"]] if row["choice"] != "same" else "same"
