"""What a reader finds in a folder, and what the pictures in it are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmark.errors import UserError, shown
from benchmark.plan import Cell
from benchmark.subjects import Subject

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".jp2")
)
LONGEST_NAME = 80

Spelling = Literal["id", "words", "file name"]
"""How a record names its prompt: by its id; by its id, template or text; or as TextBoost's
evaluation writes files, the text with `_` for every space."""


@dataclass(frozen=True)
class Record:
    """One picture as it was found, before anything is known of its subject and prompt."""

    file: Path
    where: str
    """How people find it: its path inside what was given, or the line of a manifest."""
    method: str
    subject: str
    """A key of the targets that the record is matched with."""
    prompt: str
    spelling: Spelling
    seed: int


@dataclass(frozen=True)
class Problem:
    """One thing that was not as it should be."""

    kind: str
    """A key of `benchmark.any_pictures.problems.KINDS`."""
    what: str
    where: str = ""
    method: str = ""
    subject: str = ""
    prompt: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Target:
    """What the pictures of one subject are compared with, and which there should be."""

    subject: str
    class_noun: str
    descriptor: str
    live: bool
    dataset: str
    split: str
    prompts: Mapping[str, str]
    """Id -> template."""
    seen: Mapping[str, str]
    """Training photos: name -> SHA-256."""
    unseen: Mapping[str, str]
    photos: Callable[[], Subject]
    """Opens the photos; UserError when one is missing or not the expected one."""
    seeds: tuple[int, ...] = ()
    """The seeds there should be; empty when nobody has said."""
    cell: Cell | None = None
    """The cell of our own that made the pictures, where one did."""


@dataclass
class Reading:
    """Everything that one folder or manifest holds."""

    layout: str
    source: Path
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    targets: dict[str, Target] | None = None
    """None: the data set's own subjects."""
    backbone_note: str = ""


@dataclass(frozen=True)
class Batch:
    """The pictures of one method and target: what one cell of the result is made of."""

    method: str
    key: str
    """The target's key in its reading."""
    target: Target
    layout: str
    pictures: Mapping[tuple[str, int], Record]
    """(prompt id, seed) -> picture."""


def method_name(text: str, where: str) -> str:
    """`text` as a method's name. It is shown, and never part of a path. UserError if unfit."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UserError(
            f"{where}: {shown(text)} cannot name a method; expected 1 to {LONGEST_NAME} printable "
            "characters"
        )
    return name


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its suffix, in capitals or not."""
    return path.suffix.lower() in SUFFIXES


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted by name, without hidden files."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def stray(path: Path, root: Path, method: str, expected: str) -> Problem:
    """The problem of a file or folder that the layout has no place for."""
    where = path.relative_to(root).as_posix()
    kind = "stray" if path.is_dir() or is_picture(path) else "no-picture"
    return Problem(kind, f"expected {expected} here", where, method)
