"""The harness: plan, run, score and store a benchmark of subject personalization.

    from benchmark import compare, run

    result = run("quickstart")
    result.table()
    compare(result, baseline="dreambooth")

What `tbbench run`, `score` and `report --diff` do, with data frames in the place of printed tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.api import RunResult, compare, open_run, run, score

__all__ = ["RunResult", "UserError", "compare", "open_run", "run", "score"]


def __getattr__(name: str) -> Any:
    """What needs pandas or torch is imported when it is first asked for."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("benchmark.api"), name)
    raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
