"""Subjects, photos, prompts and splits: what every data set gives the harness."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from benchmark.errors import UserError, short, shown

if TYPE_CHECKING:
    from PIL import Image

DATASET_NAMES = ("dreambench", "toyworld")
"""Data sets that are the same everywhere. `photos`, a folder of one's own, is none of them."""
PHOTOS = "photos"
"""What a configuration calls the data set that its [photos] table describes."""


@dataclass(frozen=True)
class Photo:
    """One photo of a subject.

    `sha256` is that of the file's bytes; for a drawn photo, of its RGB pixels. It tells training
    photos and held-out photos apart, whatever they are called.
    """

    name: str
    sha256: str
    load: Callable[[], Image.Image]
    """Opens the photo: RGB, turned upright by its EXIF entry, full size."""


@dataclass(frozen=True)
class Subject:
    """One subject with its photos, in order of their names."""

    name: str
    """Letters a-z, digits and underscores: it becomes part of file names."""
    class_noun: str
    live: bool
    descriptor: str
    """Word or words that start TextBoost's new token: `character` for a character backpack."""
    photos: tuple[Photo, ...]

    @property
    def initialiser(self) -> str:
        """Descriptor and class noun together, `character backpack`."""
        return f"{self.descriptor} {self.class_noun}"

    def photo(self, name: str) -> Photo:
        """The photo called `name`; UserError when the subject has none of that name."""
        for photo in self.photos:
            if photo.name == name:
                return photo
        raise UserError(unknown("photo", name, [p.name for p in self.photos], f" of {self.name}"))


@dataclass(frozen=True)
class SubjectFacts:
    """What planning needs to know of a subject, without opening a photo."""

    name: str
    class_noun: str
    live: bool
    descriptor: str
    checksums: Mapping[str, str]
    """Photo name -> SHA-256, as in `Photo.sha256`, in order of the names."""


@dataclass(frozen=True)
class Prompt:
    """One evaluation prompt. `id` is a slug that does not change when the list grows."""

    id: str
    template: str
    """`a {subject} in the jungle`; a method says what stands for `{subject}`."""

    def text(self, class_noun: str) -> str:
        """The prompt with the class noun alone: what CLIP-T compares an image with."""
        return self.template.replace("{subject}", class_noun)


class Dataset(Protocol):
    """What the harness asks of a data set."""

    @property
    def name(self) -> str:
        """The data set's name, as configurations spell it."""

    def subject_names(self) -> list[str]:
        """All subjects, in the data set's own order."""

    def subject(self, name: str) -> Subject:
        """The subject with its photos checked; DamagedPhotoError when one is not as recorded."""

    def facts(self, subject_name: str) -> SubjectFacts:
        """What is known of a subject without opening its photos."""

    def prompts(self, live: bool) -> list[Prompt]:
        """The evaluation prompts for live subjects or for objects."""

    def split_names(self) -> list[str]:
        """Names that `split` accepts."""

    def split(self, name: str) -> dict[str, tuple[str, ...]]:
        """Subject -> names of its training photos. All its other photos are held out."""

    def oracle(self, subject_name: str, prompt: Prompt, seed: int) -> Image.Image | None:
        """The right answer, where the data set can draw it; None where it cannot."""


def open_dataset(name: str) -> Dataset:
    """The data set called `name`; UserError, with the nearest spelling, when there is none."""
    if name == "dreambench":
        from benchmark.dreambench import DreamBench

        return DreamBench()
    if name == "toyworld":
        from benchmark.toyworld.dataset import ToyWorld

        return ToyWorld()
    if name.startswith("photos-"):
        from benchmark.own_photos import open_photos

        return open_photos(name)
    raise UserError(unknown("dataset", name, DATASET_NAMES))


def unknown(kind: str, name: str, known: list[str] | tuple[str, ...], where: str = "") -> str:
    """The line for a name nobody knows: `unknown split 'n2'; did you mean 'n1'? known: ...`."""
    # The search takes the square of the length: no name of ours is nearly as long.
    near = difflib.get_close_matches(name[:200], known, n=1, cutoff=0.4)
    # What was begun and not ended comes before what is spelled alike.
    near = [one for one in known if near and one.startswith(name)] or near
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {shown(name)}{where}; {hint}known: {short(', '.join(known), 1000)}"
