"""Measurements on disk, in the JSON that pytest-benchmark writes and its own tools read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmark.atomic import write_json
from benchmark.environment import PACKAGES, package_version
from benchmark.errors import UserError
from benchmark.perf.case import COUNTERS
from benchmark.perf.rounds import Measured
from benchmark.perf.suite import CASES

CLOCK = "process_time"
INSTALL = "pip install 'textboost-bench[perf]' (in a clone '.[perf]')"


@dataclass(frozen=True)
class StoredCase:
    """One case of one file."""

    median: float
    """Seconds."""
    blocks: tuple[tuple[float, ...], ...]
    """Seconds by block; empty where the file holds no single times."""
    counters: Mapping[str, int]
    clock: str
    """Function of Python's `time` that the seconds were read from."""


@dataclass(frozen=True)
class Stored:
    """One file: what one tree was measured to be."""

    path: Path
    commit: str
    datetime: str
    machine: str
    """Processor and Python."""
    packages: Mapping[str, str | None]
    round: str | None
    """The same in two files whose units were run in turn."""
    cases: Mapping[str, StoredCase]
    failed: Mapping[str, str] = field(default_factory=dict)
    """Case -> why it could not be measured."""
    suite: Sequence[str] | None = None
    """Cases of the tree's own suite; None where that is not known."""
    patterns: Sequence[str] = ()
    """What `--case` restricted the measurement to; empty: nothing."""


def save(
    path: Path,
    measured: Mapping[str, Measured],
    side: int,
    commit: Mapping[str, Any],
    round_: str,
    suite: Sequence[str] | None = None,
    patterns: Sequence[str] = (),
) -> None:
    """Writes what was measured of tree number `side`. UserError without pytest-benchmark."""
    content = {
        "machine_info": machine_info(),
        "commit_info": dict(commit),
        "benchmarks": [
            _entry(name, case, side) for name, case in measured.items() if not case.errors
        ],
        "datetime": datetime.now(UTC).isoformat(),
        "version": package_version("pytest-benchmark"),
        "round": round_,
        "failed": {
            name: case.errors[side] for name, case in measured.items() if side in case.errors
        },
        "suite": suite,
        "patterns": patterns,
    }
    write_json(path, content)


def pytest_benchmark(module: str) -> Any:
    """A module of that package, which is untyped. UserError where it is not installed."""
    try:
        return import_module(f"pytest_benchmark.{module}")
    except ImportError as error:
        raise UserError(f"pytest-benchmark is not installed: {INSTALL}") from error


def machine_info() -> dict[str, Any]:
    """pytest-benchmark's own description of the machine, and the versions of the libraries."""
    found: dict[str, Any] = pytest_benchmark("plugin").pytest_benchmark_generate_machine_info()
    return found | {"packages": {name: package_version(name) for name in PACKAGES}}


def _entry(name: str, case: Measured, side: int) -> dict[str, Any]:
    blocks = [block[side] for block in case.blocks]
    stats = pytest_benchmark("stats").Stats()
    for seconds in (second for block in blocks for second in block):
        stats.update(seconds)
    return {
        "group": CASES[name].group,
        "name": name,
        "fullname": f"benchmark/perf/suite.py::{name}",
        "params": None,
        "param": None,
        "extra_info": {**case.counts[side], "case": name, "blocks": [len(b) for b in blocks]},
        "options": {"disable_gc": True, "timer": CLOCK, "warmup": True},
        "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
    }


def read(path: Path) -> Stored:
    """A file by `tbbench perf run` or by pytest-benchmark's --benchmark-json.

    UserError when it is missing or something else, or holds times that are none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        new = path.with_name(path.name.replace("-base.", ".", 1))
        with_base = "" if new == path else " --against BASE"
        raise UserError(
            f"{path} cannot be read ({error.strerror}); "
            f"`tbbench perf run{with_base} --out {new}` writes it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON; give a file that `tbbench perf run` wrote") from error
    try:
        machine = content["machine_info"]
        cpu = machine.get("cpu", {}).get("brand_raw", machine.get("processor", ""))
        return Stored(
            path=path,
            commit=str(content["commit_info"].get("id", "unknown")),
            datetime=str(content["datetime"]),
            machine=f"{cpu}, Python {machine['python_version']}",
            packages=_typed(machine.get("packages", {}), dict, "packages"),
            round=_typed(content.get("round"), (str, type(None)), "round"),
            cases=dict(_case(entry) for entry in content["benchmarks"]),
            failed=_words(_typed(content.get("failed", {}), dict, "failed")),
            suite=_typed(content.get("suite"), (list, type(None)), "suite"),
            patterns=_typed(content.get("patterns", []), list, "patterns"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} is not what pytest-benchmark writes ({type(error).__name__}: {error}); give a "
            "file by `tbbench perf run` or `pytest --benchmark-json`"
        ) from error


def _typed(value: Any, kinds: type | tuple[type, ...], name: str) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(f"{name} is {json.dumps(value)[:40]}")
    return value


def _words(failed: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(_typed(why, str, f"failed: {name}")) for name, why in failed.items()}


def _seconds(value: Any, name: str) -> float:
    """A time that has a logarithm; any other would be judged "same" as everything."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"a time of {name} is {json.dumps(value)[:40]}, not seconds above 0")
    return float(value)


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is {json.dumps(value)[:40]}, not a whole number from 0 on")
    return value


def _case(entry: Mapping[str, Any]) -> tuple[str, StoredCase]:
    extra, name = entry["extra_info"], str(entry["name"])
    data = [_seconds(second, name) for second in entry["stats"].get("data", [])]
    blocks, begin = [], 0
    for length in extra.get("blocks", [len(data)] if data else []):
        blocks.append(tuple(data[begin : begin + length]))
        begin += length
    if begin != len(data) or not all(blocks):
        raise ValueError(f"the blocks of {name} do not add up to its times")
    counters = {one: _count(extra[one], f"{one} of {name}") for one in COUNTERS if one in extra}
    clock = str(entry["options"].get("timer", ""))
    median = _seconds(entry["stats"]["median"], name)
    return str(extra.get("case", name)), StoredCase(median, tuple(blocks), counters, clock)
