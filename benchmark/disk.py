"""Whether a run's cells will fit on its disk: asked before the run and before every cell.

What cells need is predicted without importing a method: pictures by the size of a PNG that does not
compress at all, checkpoints by those of the run's finished cells, else as a share of the backbone's
UNet. Class pictures and downloads lie in the cache folder and are not counted.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.atomic import read_json
from benchmark.backbones import open_backbone
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.store import cell_folder

MARGIN = 16 * 2**20
"""Bytes that stay free in any case: for tables, the report, and records of what failed."""
RECORDS = 256 * 1024
"""Bytes of a cell's scores, costs, losses and log, generously."""
NOTES = 4096
"""Bytes of a PNG beside its pixels: its parts' heads, and what it was made from as text."""
SHARES = {"dreambooth": 1.0, "custom-diffusion": 0.03}
"""What a checkpoint holds, as a share of the UNet; `SHARE` for all other methods that train."""
SHARE = 0.01
CONTROLS = ("base", "copy", "oracle")

Group = tuple[str, str]
"""Method and preset."""


@dataclass(frozen=True)
class Need:
    """Bytes, of some cells together."""

    pictures: int
    checkpoints: int
    records: int

    @property
    def total(self) -> int:
        """Bytes of all three together."""
        return self.pictures + self.checkpoints + self.records


def need_of(cells: Sequence[Cell], known: Mapping[Group, int]) -> Need:
    """What the cells will write at most. known: bytes of checkpoints that are there already."""
    return Need(
        sum(picture_bytes(cell) for cell in cells),
        sum(checkpoint_bytes(cell, known) for cell in cells),
        RECORDS * len(cells),
    )


def picture_bytes(cell: Cell) -> int:
    """Of all pictures of the cell, probes included, as PNG at their largest."""
    number = len(cell.prompts) * len(cell.seeds)
    number += sum(sum(counts.values()) for counts in cell.probes.values())
    row = 3 * cell.resolution + 1
    # What does not compress is stored in blocks of at most 64 KiB, each with 5 bytes before it.
    pixels = row * cell.resolution
    return number * (pixels + 5 * (pixels // 2**14 + 1) + NOTES)


def checkpoint_bytes(cell: Cell, known: Mapping[Group, int]) -> int:
    """Of the cell's checkpoint; 0 for controls, and where the UNet's size is not known."""
    group = (cell.method, cell.preset)
    if cell.method in CONTROLS:
        return 0
    if group in known:
        return known[group]
    return int(SHARES.get(cell.method, SHARE) * _unet_bytes(cell.backbone))


def known_checkpoints(run: Path, cells: Sequence[Cell]) -> dict[Group, int]:
    """Bytes of a checkpoint by method and preset, from the first cell of each that is done."""
    known: dict[Group, int] = {}
    for cell in cells:
        group = (cell.method, cell.preset)
        if group in known or cell.method in CONTROLS:
            continue
        costs = read_json(cell_folder(run, cell.key).path / "cost.json")
        for cost in costs if isinstance(costs, list) else []:
            if isinstance(cost, dict) and cost.get("measure") == "checkpoint_bytes":
                known[group] = int(cost["value"])
    return known


def free_bytes(path: Path) -> int:
    """Free for this user on the disk that holds `path`, or will hold it."""
    place = path.resolve()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def check_space(path: Path, missing: Sequence[Cell], known: Mapping[Group, int]) -> None:
    """UserError when the missing cells will not fit beside what is on the disk already."""
    need, free = need_of(missing, known), free_bytes(path)
    if free < need.total + MARGIN:
        cells = "1 missing cell is" if len(missing) == 1 else f"{len(missing)} missing cells are"
        raise UserError(
            f"{path}: {size_text(free)} free, and its {cells} predicted to need "
            f"{size_text(need.total + MARGIN)}: pictures {size_text(need.pictures)} at most, as "
            f"PNG that does not compress, checkpoints about {size_text(need.checkpoints)}; free "
            "some space, or give --out a folder on another disk"
        )


class Room:
    """Asked before every cell during a run; says no from the first time that there is no room."""

    def __init__(
        self, path: Path, cells: Sequence[Cell], known: Mapping[Group, int], at_once: int
    ) -> None:
        self._path = path
        self._least = MARGIN + at_once * max(
            (need_of([cell], known).total for cell in cells), default=0
        )
        self.reason: str | None = None
        """Why no more cells start, in one line; None while there is room."""

    def __call__(self) -> bool:
        """Whether the next cells fit; `reason` says why not."""
        if self.reason is None:
            try:
                free = free_bytes(self._path)
            except OSError as error:
                self.reason = f"{self._path}: {error.strerror}"
                return False
            if free < self._least:
                self.reason = (
                    f"{self._path}: {size_text(free)} free, and the next cells may need "
                    f"{size_text(self._least)}; free some space"
                )
        return self.reason is None


def size_text(count: int) -> str:
    """Bytes in decimal units, as disks are measured."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _unet_bytes(backbone: str) -> int:
    folder = open_backbone(backbone).folder / "unet"
    files = [*folder.glob("*.safetensors")]
    whole = [file for file in files if ".fp16." not in file.name]
    return sum(file.stat().st_size for file in whole or files)
