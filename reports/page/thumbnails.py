"""Small copies of pictures beside the page, named by content and made once.

A picture is read again only when its size or its time of change is not the recorded one, so a
second report of 18,000 pictures asks the disk for their state and decodes none of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from benchmark.atomic import read_record, write_text

SIDE = 256
"""Pictures up to this many pixels wide are shown byte for byte, larger ones as small copies."""
PIXELATED_SIDE = 128
"""Pictures up to this many pixels wide are enlarged without smoothing."""
FOLDER = "thumbnails"
INDEX = "index.json"
OWN = re.compile(r"\.?[0-9a-f]{16}\.(png|jpg)(\.[0-9]+)?")
"""Names of small copies, and of those that were being written; others are not ours to remove."""
WORKERS = 2
ALONE = 200
"""Up to this many pictures are made here; more are worth starting processes for."""


@dataclass(frozen=True)
class Thumbnail:
    """One picture as a page shows it."""

    source: str
    """A path below the page's folder, or a data URI."""
    pixelated: bool


@dataclass(frozen=True)
class Made:
    """What is known of a picture: its file name by content, the file's length, its width."""

    name: str
    length: int
    side: int


def thumbnails(
    paths: Iterable[Path], report: Path, sums: Mapping[Path, str] = MappingProxyType({})
) -> dict[Path, Thumbnail]:
    """Path -> thumbnail below `report`; pictures that are missing or damaged are left out.

    sums: SHA-256 of the files whose content is known; with another one a picture is left out.
    Small copies of earlier reports that this one does not show are removed, nothing else.
    """
    folder = report / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    known = read_record(folder / INDEX)
    own = [entry for entry in os.scandir(folder) if OWN.fullmatch(entry.name) and entry.is_file()]
    lengths = {entry.name: entry.stat().st_size for entry in own}
    states = {path: state for path in dict.fromkeys(paths) if (state := _state(path))}
    labels = _labels(states, report)
    found: dict[Path, Made] = {}
    for path, state in states.items():
        made = _recorded(known.get(labels[path]), state)
        if made and lengths.get(made.name) == made.length:
            found[path] = made
    missing = [path for path in states if path not in found]
    found |= _make(missing, folder, sums)
    record = {
        labels[path]: [*states[path], made.name, made.length, made.side]
        for path, made in found.items()
    }
    kept = {made.name for made in found.values()}
    for name in lengths.keys() - kept:
        (folder / name).unlink(missing_ok=True)
    if record != known:
        write_text(folder / INDEX, json.dumps(record, ensure_ascii=False) + "\n")
    return {
        path: Thumbnail(f"{FOLDER}/{made.name}", made.side <= PIXELATED_SIDE)
        for path, made in found.items()
    }


def embedded(
    paths: Iterable[Path], sums: Mapping[Path, str] = MappingProxyType({})
) -> dict[Path, Thumbnail]:
    """Path -> thumbnail as a data URI; what `thumbnails` leaves out is left out here, too."""
    found = {}
    for path in dict.fromkeys(paths):
        small = shrink(path, sums.get(path))
        if small is not None:
            content, kind, side = small
            mime = "image/jpeg" if kind == "jpg" else "image/png"
            found[path] = Thumbnail(data_uri(content, mime), side <= PIXELATED_SIDE)
    return found


def shrink(path: Path, checksum: str | None = None) -> tuple[bytes, str, int] | None:
    """(content, `png` or `jpg`, longest side of the original in pixels) of a small copy.

    A PNG of at most `SIDE` pixels is its own copy. None when the file holds no whole picture, or
    another one than that of the SHA-256.
    """
    try:
        content = path.read_bytes()
        if checksum is not None and hashlib.sha256(content).hexdigest() != checksum:
            return None
        with Image.open(BytesIO(content)) as image:
            side = max(image.size)
            # Pixels are decoded in either case: half a file is no picture.
            image.load()
            if side <= SIDE and image.format == "PNG":
                return content, "png", side
            small = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue(), "jpg", side


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as a URI that needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def write_thumbnail(path: Path, folder: Path, checksum: str | None = None) -> Made | None:
    """The small copy of one picture, in `folder` under a name made from its content."""
    small = shrink(path, checksum)
    if small is None:
        return None
    content, kind, side = small
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    target = folder / name
    # Renamed into place, so that a page never finds half a file; not synced to the disk, since
    # the next report compares its length and makes it again.
    fresh = folder / f".{name}.{os.getpid()}"
    fresh.write_bytes(content)
    os.replace(fresh, target)
    return Made(name, len(content), side)


def _make(paths: Sequence[Path], folder: Path, sums: Mapping[Path, str]) -> dict[Path, Made]:
    expected = [sums.get(path) for path in paths]
    if len(paths) <= ALONE:
        made = [
            write_thumbnail(path, folder, sum) for path, sum in zip(paths, expected, strict=True)
        ]
    else:
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            folders = [folder] * len(paths)
            made = list(pool.map(write_thumbnail, paths, folders, expected, chunksize=64))
    return {path: one for path, one in zip(paths, made, strict=True) if one is not None}


def _state(path: Path) -> list[int] | None:
    """Length and time of change; None when there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _recorded(entry: object, state: Sequence[int]) -> Made | None:
    """What an earlier report recorded of a picture in this state."""
    match entry:
        case [int(size), int(time), str(name), int(length), int(side)] if [size, time] == [*state]:
            return Made(name, length, side)
    return None


def _labels(paths: Iterable[Path], report: Path) -> dict[Path, str]:
    """The pictures' paths as seen from the report, which may be moved together with its run."""
    folders: dict[Path, str] = {}
    found = {}
    for path in paths:
        folder = path.parent
        if folder not in folders:
            folders[folder] = Path(os.path.relpath(folder, report)).as_posix()
        found[path] = f"{folders[folder]}/{path.name}"
    return found
