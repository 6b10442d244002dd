"""Pictures on disk: lossless, whole or not there, and marked with what they were made from."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from benchmark.atomic import write_bytes
from benchmark.errors import DamagedPhotoError
from benchmark.plan import Cell
from benchmark.subjects import open_dataset
from benchmark.together import subject_together

THUMBNAIL = 256
"""Longest side of a photo in the report, in pixels."""


def write_picture(path: Path, image: Image.Image, origin: str, about: Mapping[str, str]) -> None:
    """A PNG that carries `origin`, the hash of what it was made from, and `about` as text."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("origin", origin)
    for name, text in about.items():
        notes.add_itxt(name, text)
    content = io.BytesIO()
    image.convert("RGB").save(content, "PNG", pnginfo=notes)
    write_bytes(path, content.getvalue())


def read_picture(
    path: Path, origin: str | None = None, about: Mapping[str, str] | None = None
) -> Image.Image | None:
    """The picture, RGB; None when it is missing, damaged, or not made from `origin` or not with
    what `about` says, as `write_picture` was given it."""
    try:
        with Image.open(path) as opened:
            opened.verify()  # every part's own checksum, which loading passes over
        with Image.open(path) as opened:
            opened.load()
            found = opened.info.get("origin")
            same = all(opened.info.get(name) == text for name, text in (about or {}).items())
            return opened.convert("RGB") if same and origin in (None, found) else None
    except (OSError, SyntaxError, ValueError):
        return None


def of_one_colour(image: Image.Image) -> bool:
    """Whether all pixels are alike, as where a safety checker or NaN has made a picture black."""
    return image.convert("RGB").getcolors(maxcolors=1) is not None


def flags_of(one_colour: Sequence[str]) -> dict[str, Any]:
    """What cell.json says of a cell's pictures: empty, or which are of one single colour."""
    names = list(one_colour)
    return {"one_colour": {"count": len(names), "names": names}} if names else {}


def write_thumbnails(run: Path, cells: Sequence[Cell]) -> None:
    """Small square copies of every subject's photos, for the report. Keeps what is there.

    A subject with a damaged photo has none; its cells say why they fail.
    """
    for cell in {cell.subject: cell for cell in cells}.values():
        folder = run / "photos" / cell.subject
        wanted = {
            folder / thumbnail_name(kind, name): name
            for kind, names in (("seen", cell.seen), ("unseen", cell.unseen))
            for name in names
        }
        for path in set(folder.glob("*.png")) - set(wanted):
            path.unlink()
        checksums = {**cell.seen, **cell.unseen}
        missing = {
            path: name
            for path, name in wanted.items()
            if read_picture(path, checksums[name]) is None
        }
        if not missing:
            continue
        with contextlib.suppress(DamagedPhotoError):
            subject = subject_together(open_dataset(cell.dataset), cell.subject)
            for path, name in missing.items():
                write_picture(path, thumbnail(subject.photo(name).load()), checksums[name], {})


def thumbnail_name(kind: str, photo: str) -> str:
    """File name of a photo's small copy; `photo` may be "dog6/05.jpg", of several subjects."""
    return f"{kind}-{Path(photo.replace('/', '-')).stem}.png"


def thumbnail(photo: Image.Image) -> Image.Image:
    """The centre square, at most `THUMBNAIL` pixels wide."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    square = photo.crop((left, top, left + side, top + side))
    return square if side <= THUMBNAIL else square.resize((THUMBNAIL, THUMBNAIL))
