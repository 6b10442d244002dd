"""How methods are called, ordered and coloured in a paper: a small TOML file of the reader's own.

[methods]                       # the order of the file is the order of the rows
textboost = "TextBoost"
"textboost (paper)" = "TextBoost, paper's settings"   # one of several presets
dreambooth = "DreamBooth"

[colours]                       # optional, #rrggbb
textboost = "#0072B2"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import UserError
from benchmark.subjects import unknown
from benchmark.toml_text import read_toml
from methods import method_names
from reports.format import plain
from reports.tables import CONTROLS

TABLES = ("methods", "colours")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Naming:
    """Names and colours; without any, everything keeps its own."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Method, or label such as `textboost (paper)` -> name. Its order is the order of rows."""
    colours: Mapping[str, str] = field(default_factory=dict)
    """Method -> #rrggbb."""

    def name(self, label: str) -> str:
        """What a label of `reports.tables.labels` is called: `TextBoost (paper)`."""
        if label in self.names:
            return self.names[label]
        method, bracket, rest = label.partition(" (")
        return f"{self.names.get(method, method)}{bracket}{rest}"

    def place(self, label: str) -> int:
        """Where a label stands among the rows; those without a name come after all others."""
        order = list(self.names)
        for known in (label, label.partition(" (")[0]):
            if known in order:
                return order.index(known)
        return len(order)

    def applied(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame with the columns label and method, its labels renamed, its rows in this order.

        Methods stay before controls, and these before real photos, which have no method.
        """
        rows = frame.reset_index(drop=True)
        if rows.empty:
            return rows
        kind = rows["method"].isin(CONTROLS).astype(int) + 2 * rows["method"].isna()
        place = pd.DataFrame({"kind": kind, "place": rows["label"].map(self.place)})
        order = place.sort_values(["kind", "place"], kind="stable").index
        return rows.assign(label=rows["label"].map(self.name)).loc[order].reset_index(drop=True)


PLAIN = Naming()


def load_naming(path: Path | str) -> Naming:
    """The naming in a TOML file; UserError in one line when it is not as the module says."""
    file = Path(path)
    try:
        content = read_toml(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; give a TOML file with a [methods]") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text; save it as UTF-8") from error
    for table in content:
        if table not in TABLES:
            raise UserError(unknown("table", f"[{plain(table)}]", _bracketed(), f" in {file}"))
    names, colours = (_table(file, content, table) for table in TABLES)
    twice = {name for name in names.values() if list(names.values()).count(name) > 1}
    if twice:
        raise UserError(f"{file} calls several methods {min(twice)!r}; give each its own name")
    for method, colour in colours.items():
        if not COLOUR.fullmatch(colour):
            raise UserError(
                f"{file} colours.{plain(method)} is {plain(colour)!r}; give #rrggbb, such as "
                "'#0072B2'"
            )
    return Naming(names, colours)


def check_naming(naming: Naming, labels: pd.Series[str] | list[str]) -> None:
    """UserError when a key is neither a method of this project nor one of `labels`, or when two of
    these would be called the same."""
    called: dict[str, str] = {}
    for label in labels:
        other = called.setdefault(naming.name(label), label)
        if other != label:
            raise UserError(
                f"the naming file calls both {plain(other)!r} and {plain(label)!r} "
                f"{naming.name(label)!r}; give each its own name"
            )
    shown = set(labels) | {label.partition(" (")[0] for label in labels}
    known = sorted(shown | set(method_names()))
    for key in [*naming.names, *naming.colours]:
        if key not in known:
            raise UserError(unknown("method", plain(key), known, " in the naming file"))


def _table(file: Path, content: Mapping[str, Any], name: str) -> dict[str, str]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{file} {name} is no table; write [{name}] and a line per method")
    for key, value in table.items():
        if not isinstance(value, str) or not plain(value):
            raise UserError(
                f"{file} {name}.{plain(key)} is {plain(value)!r}; give a text in quotes"
            )
    return {key: plain(value, limit=None) for key, value in table.items()}


def _bracketed() -> list[str]:
    return [f"[{table}]" for table in TABLES]
