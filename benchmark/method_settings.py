"""A method's settings from its defaults, a preset and the run's overrides, checked by type."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any

from benchmark.config import MethodEntry
from benchmark.errors import UserError
from benchmark.subjects import unknown


def method_settings(entry: MethodEntry, steps: int | None) -> Any:
    """The settings object of one method: its defaults, the preset, `steps`, then `settings`."""
    from methods import get_method

    method = get_method(entry.name)
    if entry.preset not in method.presets:
        raise UserError(
            unknown("preset", entry.preset, list(method.presets), f" of method {entry.name!r}")
        )
    kinds = typing.get_type_hints(method.Settings)
    names = [field.name for field in dataclasses.fields(method.Settings)]
    values = dict(method.presets[entry.preset])
    if steps is not None and method.trains and "steps" in names:
        values["steps"] = steps
    for key, value in entry.settings.items():
        if key not in names:
            where = f" of method {entry.name!r}"
            raise UserError(unknown("setting", key, names, where))
        where = f"methods.{entry.name}.{key}"
        values[key] = _possible(_typed(value, kinds[key], where), key, where)
    try:
        return method.Settings(**values)
    except ValueError as error:
        raise UserError(f"methods.{entry.name}: {error}") from error


def _typed(value: Any, kind: Any, key: str) -> Any:
    """`value` as the settings field's type wants it; UserError when it is of another type."""
    if isinstance(value, list) and _accepts(kind, tuple):
        return tuple(value)
    if isinstance(value, int) and not isinstance(value, bool) and _accepts(kind, float):
        return value if _accepts(kind, int) else float(value)
    if not _accepts(kind, type(value)):
        wanted = getattr(kind, "__name__", str(kind))
        expected = _PLAIN.get(kind, f"a value of type {wanted}")
        raise UserError(f"{key}: expected {expected}, got {value!r}")
    return value


def _possible(value: Any, key: str, where: str) -> Any:
    """`value`; UserError for a number that no setting of that name can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    least = 1 if key in _AT_LEAST_ONE else 0
    most = 1 if key.endswith("probability") else math.inf
    if not least <= value <= most or math.isinf(value):
        expected = f"{least} or more" if math.isinf(most) else f"{least} to {most}"
        raise UserError(f"{where}: expected {expected}, got {value!r}")
    return value


_AT_LEAST_ONE = ("steps", "batch_size", "rank")


_PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
}


def _accepts(kind: Any, given: type) -> bool:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_accepts(part, given) for part in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Literal:
        return given in {type(choice) for choice in typing.get_args(kind)}
    return (typing.get_origin(kind) or kind) is given
