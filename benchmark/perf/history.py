"""Measurements over time: one JSON object a line, and a figure of where they go."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import UserError
from benchmark.perf.stored import Stored

PANELS = (
    ("seconds", ("seconds",), "time of the processor"),
    ("memory", ("peak_live_bytes", "peak_python_bytes"), "peak memory"),
)


def append(path: Path, stored: Stored, verdicts: Mapping[str, str] | None = None) -> None:
    """Adds a line per case: commit, time of measuring, machine, seconds, counters, verdict.

    verdicts: case -> the worst of its verdicts, where it has been compared.
    """
    lines = []
    for name, case in stored.cases.items():
        record = {
            "case": name,
            "commit": stored.commit,
            "datetime": stored.datetime,
            "machine": stored.machine,
            "seconds": case.median,
            **case.counters,
        }
        if verdicts and name in verdicts:
            record["verdict"] = verdicts[name]
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def read(path: Path) -> list[dict[str, Any]]:
    """The records in the order of measuring; a measurement that was added twice comes once.

    UserError when the file is missing or holds something else.
    """
    try:
        # Not splitlines: a name may hold what Unicode calls the end of a line.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); `tbbench perf run --history {path}` "
            "begins it"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8; give a file that `tbbench perf run --history` wrote"
        ) from error
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            key = (record["datetime"], record["commit"], record["case"])
            _check(record)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{path} line {number} is no measurement ({type(error).__name__}: {error}); "
                "remove the line"
            ) from error
        found[key] = record
    if not found:
        raise UserError(f"{path} is empty; `tbbench perf run --history {path}` adds to it")
    return [found[key] for key in sorted(found)]


def _check(record: Mapping[str, Any]) -> None:
    """TypeError or ValueError when a field that is drawn is something else."""
    for name in ("datetime", "commit", "case", "machine"):
        if not isinstance(record[name], str):
            raise TypeError(f"{name} is {json.dumps(record[name])[:40]}, not text")
    for name in (name for _, measures, _ in PANELS for name in measures):
        value = record.get(name, 1)
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {json.dumps(value)[:40]}, not a number from 0 on")
    if not record["seconds"]:
        raise ValueError("seconds are 0")


def relative(
    records: list[dict[str, Any]], measures: tuple[str, ...]
) -> dict[str, list[tuple[int, float]]]:
    """Case -> (number of the measurement, figure as a share of the case's first on that machine).

    Measurements are numbered from 1 over the whole history.
    """
    times = sorted({(record["datetime"], record["commit"]) for record in records})
    number = {time: index for index, time in enumerate(times, 1)}
    first: dict[tuple[str, str, str], float] = {}
    series: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        measure = next((name for name in measures if record.get(name)), None)
        if measure is None:
            continue
        value = float(record[measure])
        start = first.setdefault((record["case"], record["machine"], measure), value)
        place = number[record["datetime"], record["commit"]]
        series.setdefault(record["case"], []).append((place, value / start))
    return series


def figure(records: list[dict[str, Any]]) -> bytes:
    """SVG: every case's time and peak memory, as shares of its first on the same machine."""
    from matplotlib import colormaps, rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tbbench"}):
        drawn = Figure(figsize=(10, 8), layout="constrained")
        axes = drawn.subplots(len(PANELS), 1, sharex=True)
        names = sorted({record["case"] for record in records})
        colours = {name: colormaps["tab20"](index % 20) for index, name in enumerate(names)}
        for axis, (_, measures, title) in zip(axes, PANELS, strict=True):
            for name, points in relative(records, measures).items():
                axis.plot(*zip(*points, strict=True), marker="o", color=colours[name], label=name)
            axis.set_ylabel(f"{title},\nshare of the first")
            axis.axhline(1.0, color="0.6", linewidth=0.8)
            axis.grid(alpha=0.3)
        axes[-1].set_xlabel("measurement, in order; shares begin anew on another machine")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.0), fontsize="small")
        content = io.BytesIO()
        drawn.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
