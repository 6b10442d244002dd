"""One key of a configuration changed from outside, as `--set` does."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UserError, shown
from benchmark.subjects import unknown
from benchmark.toml_text import read_toml


def apply_override(table: dict[str, Any], override: str) -> None:
    """Puts one `key=value` into the parsed TOML. The value is a TOML literal, else plain text."""
    key, equals, raw = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UserError(f"--set {shown(override)}: expected key=value, such as training.steps=50")
    try:
        value = read_toml(f"value = {raw}", override)["value"]
    except UserError:
        value = raw
    if path[0] == "methods" and len(path) > 1:
        table, path = _method_table(table, override, path[1:])
    for step in path[:-1]:
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {shown(override)}: {step!r} is no table")
    table[path[-1]] = value


def _method_table(
    table: dict[str, Any], override: str, path: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Where `methods.NAME.FIELD` goes: the entry itself for `preset`, else its settings."""
    entries = [entry for entry in table.get("methods", []) if isinstance(entry, dict)]
    named = [entry for entry in entries if entry.get("name") == path[0]]
    if not named:
        names = [str(entry.get("name")) for entry in entries]
        raise UserError(f"--set {shown(override)}: {unknown('method of this run', path[0], names)}")
    if len(path) != 2 or len(named) > 1:
        raise UserError(
            f"--set {shown(override)}: expected methods.NAME.SETTING=value for a method listed once"
        )
    if path[1] == "preset":
        return named[0], path[1:]
    return named[0].setdefault("settings", {}), path[1:]
