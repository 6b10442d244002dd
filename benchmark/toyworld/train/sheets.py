"""Grids of small pictures, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def save_sheet(
    path: Path, pictures: Sequence[Image.Image] | NDArray[np.uint8], columns: int, zoom: int = 2
) -> None:
    """Writes the pictures (PIL, or uint8 [n, h, w, 3]) row by row as one PNG."""
    arrays = [np.asarray(picture) for picture in pictures]
    height, width = arrays[0].shape[:2]
    rows = -(-len(arrays) // columns)
    sheet = np.full((rows * (height + 2), columns * (width + 2), 3), 255, np.uint8)
    for i, array in enumerate(arrays):
        top, left = (i // columns) * (height + 2), (i % columns) * (width + 2)
        sheet[top : top + height, left : left + width] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = Image.fromarray(sheet)
    grid.resize((grid.width * zoom, grid.height * zoom), Image.Resampling.NEAREST).save(path)
