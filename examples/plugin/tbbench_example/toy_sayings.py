"""Backbone `toy-sayings`: the toy backbone, with captions of this package."""

from pathlib import Path

from benchmark.backbones import Backbone, open_folder
from benchmark.backbones.toy import toy_folder

CAPTIONS = Path(__file__).with_name("sayings.txt")
NOTE = "the toy backbone with another package's captions"


def open_toy_sayings() -> Backbone:
    """The backbone; its revision is the checksum of its files, and part of every cell's key."""
    return open_folder("toy-sayings", toy_folder(), CAPTIONS, NOTE)
