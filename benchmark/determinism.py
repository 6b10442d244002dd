"""Does a cell come out the same when it is done again? Some cells are, and compared.

The second time everything is computed anew, in a folder of its own: training, pictures, and scores
without embeddings that were kept. Only prior images come from the cache, as they do for a cell that
another one made them for.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.atomic import write_json
from benchmark.executors import Job
from benchmark.executors.local import choose_devices, run_jobs
from benchmark.fates import Fates
from benchmark.pictures import read_picture
from benchmark.plan import Cell
from benchmark.progress import RunProgress
from benchmark.runner import make_jobs
from benchmark.store import CellFolder, Run, cell_folder

FILE = "determinism.json"
PARTS = ("checkpoint", "losses", "pictures", "scores")
UNITS = {"checkpoint": "weight", "losses": "loss", "pictures": "grey level", "scores": "score"}
"""What the largest difference of a part is a difference of."""


@dataclass(frozen=True)
class Difference:
    """Two versions of one part of a cell: its checkpoint's files, losses, pictures or scores."""

    compared: int
    different: int
    largest: float | None
    """Of two numbers; 0 where nothing differs, None where more than numbers does."""


@dataclass(frozen=True)
class Repeated:
    """One cell that was done again."""

    key: str
    label: str
    failure: str | None
    """Why it failed the second time; then nothing was compared."""
    parts: Mapping[str, Difference]
    """By name, of `PARTS`."""

    @property
    def equal(self) -> bool:
        """Whether the second time succeeded and no part of it differs from the first."""
        return not self.failure and not any(part.different for part in self.parts.values())


def sample_cells(cells: Sequence[Cell], count: int, seed: int = 0) -> list[Cell]:
    """`count` of the cells, or all, the same ones every time: each method in turn has one drawn."""
    generator = random.Random(seed)
    by_method: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        by_method.setdefault((cell.method, cell.preset), []).append(cell)
    for group in by_method.values():
        generator.shuffle(group)
    rounds = zip_longest(*by_method.values())
    return [cell for turn in rounds for cell in turn if cell is not None][:count]


def verify(run: Run, count: int, console: Console) -> list[Repeated]:
    """Does `count` done cells of the run again and compares; writes determinism.json.

    Nothing else of the run changes. Empty when no cell is done.
    """
    chosen = sample_cells([c for c in run.planned if run.folder(c.key).done()], count)
    if not chosen:
        return []
    execution = run.config.execution
    devices = choose_devices(execution.device, execution.workers, execution.threads)
    console.print(f"doing {len(chosen)} cells again, to compare", highlight=False)
    with tempfile.TemporaryDirectory(prefix=".again-", dir=run.path) as scratch:
        folder = Path(scratch)
        fates = Fates()
        jobs = [replace(job, fresh=True) for job in make_jobs(run.config, folder, chosen)]
        with RunProgress(console, len(jobs), 0, fates) as progress:
            run_jobs(jobs, devices, progress)
        found = compare_cells(run, folder, chosen, fates.failures)
    content = {
        "version": 1,
        "device": devices[0],
        "threads": execution.threads,
        "deterministic": execution.deterministic,
        "equal": all(cell.equal for cell in found),
        "cells": [asdict(cell) for cell in found],
    }
    write_json(run.path / FILE, content)
    return found


def compare_cells(
    run: Run, again: Path, cells: Sequence[Cell], failures: Iterable[tuple[Job, str]]
) -> list[Repeated]:
    """The cells of the run beside those in the folder `again`; failures are those of the latter."""
    why = {job.key: reason for job, reason in failures}
    return [
        Repeated(
            cell.key,
            cell.label,
            why.get(cell.key),
            {}
            if cell.key in why
            else compare_folders(run.folder(cell.key), cell_folder(again, cell.key)),
        )
        for cell in cells
    ]


def compare_folders(one: CellFolder, other: CellFolder) -> dict[str, Difference]:
    """By the name of each of `PARTS`."""
    return {
        "checkpoint": _files(one.checkpoint, other.checkpoint, weights_apart),
        "losses": _numbers(one.losses()["losses"], other.losses()["losses"]),
        "pictures": _files(one.images, other.images, pixels_apart, only_content=True),
        "scores": _scores(one.path / "scores.parquet", other.path / "scores.parquet"),
    }


def weights_apart(one: Path, other: Path) -> float | None:
    """The largest difference of two safetensors files; None when they hold other tensors or are
    files of another kind, whose bytes differ."""
    if one.suffix != ".safetensors":
        return None
    from safetensors.torch import load_file

    a, b = load_file(one), load_file(other)
    if {name: t.shape for name, t in a.items()} != {name: t.shape for name, t in b.items()}:
        return None
    return _largest(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def pixels_apart(one: Path, other: Path) -> float | None:
    """The largest difference of two pictures, 0 to 255; None when they are not of one size."""
    import numpy as np

    a, b = read_picture(one), read_picture(other)
    if a is None or b is None or a.size != b.size:
        return None
    return float(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def _files(
    one: Path,
    other: Path,
    apart: Callable[[Path, Path], float | None],
    only_content: bool = False,
) -> Difference:
    """Files by name. only_content: their bytes may differ where `apart` says 0."""
    names = {p.relative_to(f).as_posix() for f in (one, other) for p in f.rglob("*") if p.is_file()}
    found: list[float | None] = []
    for name in sorted(names):
        a, b = one / name, other / name
        if not (a.is_file() and b.is_file()):
            found.append(None)
        elif a.read_bytes() != b.read_bytes():
            distance = apart(a, b)
            if not (only_content and distance == 0):
                found.append(distance)
    return Difference(len(names), len(found), _largest(found))


def _numbers(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Numbers at the same places; two that are not finite are equal when they are alike."""
    if len(one) != len(other):
        return Difference(max(len(one), len(other)), abs(len(one) - len(other)), None)
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if repr(a) != repr(b)]
    return Difference(len(one), len(pairs), _largest(abs(a - b) for a, b in pairs))


def _scores(one: Path, other: Path) -> Difference:
    """Rows of two scores.parquet: None as the difference when not the same things were scored."""
    import pandas as pd

    a, b = pd.read_parquet(one), pd.read_parquet(other)
    if not a.drop(columns="value").equals(b.drop(columns="value")):
        return Difference(max(len(a), len(b)), max(len(a), len(b)), None)
    return _numbers(list(a["value"]), list(b["value"]))


def _largest(distances: Iterable[float | None]) -> float | None:
    known = list(distances)
    if any(distance is None or math.isnan(distance) for distance in known):
        return None
    return max((distance for distance in known if distance is not None), default=0.0)


def show(found: Sequence[Repeated], console: Console) -> None:
    """A table of what was compared, one row per cell, and a sentence."""
    if not found:
        console.print("no cell is done, so there was nothing to do again")
        return
    table = Table("cell", *PARTS)
    for cell in found:
        if cell.failure:
            table.add_row(cell.label, f"failed: {cell.failure}")
            continue
        table.add_row(cell.label, *(_told(name, cell.parts[name]) for name in PARTS))
    console.print(table)
    apart = sum(not cell.equal for cell in found)
    sentence = (
        f"{apart} of {len(found)} cells came out differently"
        if apart
        else (f"{len(found)} of {len(found)} cells came out the same, bit for bit")
    )
    console.print(sentence, highlight=False)


def _told(name: str, part: Difference) -> str:
    if not part.compared:
        return "none"
    if not part.different:
        return f"{part.compared} equal"
    size = "not only in numbers" if part.largest is None else f"by {part.largest:.2g} {UNITS[name]}"
    return f"{part.different} of {part.compared} differ {size}"
