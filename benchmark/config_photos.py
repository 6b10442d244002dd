"""The [photos] table of the configuration."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from benchmark.config_part import Part
from benchmark.errors import shown


def _plain_words(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z '-]{0,59}", value) or value != " ".join(value.split()):
        raise ValueError(f"expected plain words such as 'stuffed animal', got {shown(value)}")
    return value


def _subject_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", value) or len(value) > 40:
        raise ValueError(f"expected a-z, 0-9 and single '_' between, got {shown(value)}")
    return value


Words = Annotated[str, AfterValidator(_plain_words)]


class Photos(Part):
    """A subject of one's own, with `dataset = "photos"`: a folder with its photos and no others."""

    folder: str
    """Where they lie; a relative path counts from where the command is started."""
    class_noun: Words
    """What the subject is, "dog": prompts without its name are made of it."""
    descriptor: Words | None = None
    """Word or words that tell it from others of its class, "corgi"; they start some new tokens."""
    name: Annotated[str, AfterValidator(_subject_name)] | None = None
    """The subject's name in tables. Left out: made of the folder's."""
    live: bool | None = None
    """Which of DreamBench's prompts it gets. Left out: guessed by the class noun."""
    train_photo: str | None = None
    """The file that trains; all others are held out. Left out: the first by name."""
