"""How two tables or two JSON values differ, in lines that name the place and both values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CLOSE = 1e-9
"""Relative difference that sums in another order may show; anything above is a difference."""

NAMES = (
    *("method", "preset", "subject", "train_seed", "prompt_id", "seed"),
    *("stage", "measure", "metric", "encoder", "reference"),
)
"""Columns that say which row of a table is meant."""


def frames(stated: pd.DataFrame, found: pd.DataFrame) -> Iterator[str]:
    """Where the table as stated departs from the one made again; exact to the last bit."""
    if list(stated.columns) != list(found.columns):
        yield f"columns {list(stated.columns)} instead of {list(found.columns)}"
        return
    if len(stated) != len(found):
        yield f"{len(stated)} rows instead of {len(found)}"
    rows = min(len(stated), len(found))
    before = stated.iloc[:rows].reset_index(drop=True).astype(object)
    after = found.iloc[:rows].reset_index(drop=True).astype(object)
    same = (before == after).fillna(False).astype(bool) | (before.isna() & after.isna())

    def known(row: Any, name: str) -> bool:
        return not found[name].isna()[row]

    for row in same.index[~same.all(axis=1)]:
        named = [str(after.loc[row, name]) for name in NAMES if name in after and known(row, name)]
        for column in same.columns[~same.loc[row]]:
            yield (
                f"row {row} ({' '.join(named)}): {column} is {before.loc[row, column]!r}, "
                f"the raw rows give {after.loc[row, column]!r}"
            )


def values(stated: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where a JSON value departs from the one made again; numbers may differ by `CLOSE`."""
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        for key in [*found, *(key for key in stated if key not in found)]:
            place = f"{where}.{key}" if where else str(key)
            if key not in stated:
                yield f"{place} is missing"
            elif key not in found:
                yield f"{place} does not belong there"
            else:
                yield from values(stated[key], found[key], place)
    elif _listed(stated) and _listed(found):
        if len(stated) != len(found):
            yield f"{where or 'it'} holds {len(stated)} entries instead of {len(found)}"
        for number, (one, other) in enumerate(zip_longest(stated, found)):
            if number < min(len(stated), len(found)):
                yield from values(one, other, f"{where}[{_name(other, number)}]")
    elif not _same(stated, found):
        yield f"{where} is {stated!r}, computed again {found!r}"


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _name(entry: Any, number: int) -> str:
    """What an entry of a list is called: by what it says of itself, else by its number."""
    if not isinstance(entry, Mapping):
        return str(number)
    keys = ("id", "run", "method", "preset", "stage", "measure", "metric", "encoder", "reference")
    named = [str(entry[key]) for key in keys if entry.get(key) is not None]
    return " ".join(named) or str(number)


def _same(stated: Any, found: Any) -> bool:
    numbers = (int, float)
    if isinstance(stated, bool) or isinstance(found, bool):
        return stated is found
    if isinstance(stated, numbers) and isinstance(found, numbers):
        return math.isclose(stated, found, rel_tol=CLOSE, abs_tol=1e-12)
    return bool(stated == found)
