"""Reading the TOML that users write: any text is a table, or refused in one line."""

from __future__ import annotations

import tomllib
from typing import Any

from benchmark.errors import UserError

_LARGEST = 2**63
_DEEPEST = 50


def read_toml(text: str, source: str) -> dict[str, Any]:
    """The text's table; `source` names it in the UserError that says why there is none."""
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{source} is not valid TOML: it is nested too deep") from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise UserError(f"{source} is not valid TOML: {error}") from error
    _check(table, source)
    return table


def _check(table: dict[str, Any], source: str) -> None:
    """UserError for what is nested too deep, and for a whole number outside of TOML's 64 bits: no
    table of results could hold it."""
    rest: list[tuple[object, int]] = [(table, 0)]
    while rest:
        value, depth = rest.pop()
        if depth > _DEEPEST:
            raise UserError(f"{source} is not valid TOML: it is nested too deep")
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            rest += [(one, depth + 1) for one in inner]
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            digits = len(str(abs(value)))
            raise UserError(f"{source}: a number of {digits} digits; it must fit in 64 bits")
