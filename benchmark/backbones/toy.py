"""The embedded backbone, trained from scratch on the toy world."""

from __future__ import annotations

from pathlib import Path

from benchmark.paths import data_root

TOY_NOTE = "toy world: a drawn 64 px universe; its numbers are not comparable with any paper's"


def toy_folder() -> Path:
    """Where its files lie; they are part of the project."""
    return data_root() / "toyworld" / "backbone"


def toy_captions() -> Path:
    """Captions of the toy world, in the few words that its text encoder knows."""
    return data_root() / "toyworld" / "captions.txt"
