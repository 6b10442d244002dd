"""Whether the code that a process has loaded is the one that its cell was planned with.

A cell's key says which code made its results. Code that was edited or updated after the plan, and
before a process loaded it, would give results of the new code under the old one's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmark.errors import ChangedCodeError
from benchmark.metrics import get_metric, metric_version, own_metric_names
from methods import code_version, get_method, own_method_names

if TYPE_CHECKING:
    from benchmark.plan import Cell

_loaded: dict[tuple[str, str], str] = {}


def remember() -> None:
    """Keeps the versions of what this process has just loaded, for itself and those forked from it:
    what is edited later changes nothing in them."""
    _loaded.update({("method", name): code_version(name) for name in own_method_names()})
    _loaded.update({("metric", name): metric_version(name) for name in own_metric_names()})


def check_code(cell: Cell) -> None:
    """Loads the cell's method and metrics. ChangedCodeError when one is not the planned one."""
    for kind, name, planned, version in _parts(cell):
        if version != planned:
            raise ChangedCodeError(
                f"the code of {kind} {name!r}, or data beside it, has changed since this cell was "
                "planned; the same command plans it anew"
            )


def _parts(cell: Cell) -> Iterator[tuple[str, str, str, str]]:
    get_method(cell.method)
    known = _loaded.get(("method", cell.method)) or code_version(cell.method)
    yield "method", cell.method, cell.code_version, known
    for name, planned in cell.metrics.items():
        get_metric(name)
        yield "metric", name, planned, _loaded.get(("metric", name)) or metric_version(name)
