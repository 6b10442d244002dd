"""The curve of a sweep as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from benchmark.atomic import write_bytes
from benchmark.errors import UserError
from benchmark.estimate.ask import GIB, Answer
from benchmark.estimate.question import MEMORY_NOTE, Prediction
from benchmark.estimate.show import conditions, labelled

FORMATS = (".svg", ".png")


def check_format(path: Path) -> None:
    """UserError when the file's name does not end in one of `FORMATS`."""
    if path.suffix not in FORMATS:
        raise UserError(f"--out {path}: expected a name that ends in .svg or .png")


def draw(answers: Sequence[Answer], name: str, path: Path) -> None:
    """Peak memory over `name`, a line for each method, into an SVG or PNG file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    check_format(path)
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in answers:
        if isinstance(one, Prediction):
            points = lines.setdefault(labelled(one.method, one.preset), [])
            points.append((getattr(one, name), one.peak_bytes / GIB))
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for marker, (label, points) in zip("osD^vPX*hd" * len(lines), lines.items(), strict=False):
        xs, ys = zip(*sorted(points), strict=True)
        axes.plot(xs, ys, marker=marker, markersize=5, label=label)
    axes.set_xlabel("pictures per step" if name == "batch" else "resolution (px)")
    axes.set_ylabel("predicted peak (GiB)")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({x for points in lines.values() for x, _ in points}))
    axes.set_title(conditions(answers), fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.text(0.01, 0.0, MEMORY_NOTE, fontsize=7, color="0.35", va="bottom")
    content = io.BytesIO()
    # Text stays text, and two drawings of the same figures are the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "tbbench"}):
        kind = path.suffix.removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
    write_bytes(path, content.getvalue())
