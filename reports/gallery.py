"""The pictures of a report: which ones are shown, and how they get into the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image

T = TypeVar("T")

BUDGET = 900
"""Generated pictures that one page shows at most."""
EXACT_SIDE = 256
"""Pictures up to this many pixels wide are inlined as they are, larger ones as thumbnails."""
PIXELATED_SIDE = 128
"""Pictures up to this many pixels wide are enlarged without smoothing."""


@dataclass(frozen=True)
class Picture:
    """One picture as the page needs it."""

    source: str
    """A data URI."""
    alt: str
    pixelated: bool


@dataclass(frozen=True)
class Row:
    """One method's pictures of a subject: per prompt, one per seed; None where there is none."""

    label: str
    kind: str
    pictures: tuple[tuple[Picture | None, ...], ...]


@dataclass(frozen=True)
class Exhibit:
    """Everything the gallery shows of one subject."""

    subject: str
    class_noun: str
    seen: tuple[Picture, ...]
    unseen: tuple[Picture, ...]
    prompts: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Selection:
    """How much of every subject's grid fits."""

    prompts: int
    seeds: int


def select(
    subjects: int, methods: int, prompts: int, seeds: int, budget: int = BUDGET
) -> Selection:
    """As many prompts and seeds as the budget allows; seeds give way first, down to one."""
    grids = max(1, subjects * methods)
    for kept in range(seeds, 0, -1):
        if grids * prompts * kept <= budget:
            return Selection(prompts, kept)
    return Selection(max(1, min(prompts, budget // grids)), 1)


def evenly(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, spread over the whole list, the first always among them."""
    if count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def picture(path: Path, alt: str) -> Picture | None:
    """The picture in a file, inlined; None when there is no such file."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    with Image.open(BytesIO(content)) as image:
        side = max(image.size)
        kind = "image/png"
        if side > EXACT_SIDE:
            small = image.convert("RGB")
            small.thumbnail((EXACT_SIDE, EXACT_SIDE), Image.Resampling.LANCZOS)
            buffer = BytesIO()
            small.save(buffer, "JPEG", quality=88)
            content, kind = buffer.getvalue(), "image/jpeg"
    return Picture(data_uri(content, kind), alt, side <= PIXELATED_SIDE)


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as a URI that needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
