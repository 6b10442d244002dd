"""A folder of a user's own photos as a data set of one subject, with DreamBench's prompts.

A [photos] table of the configuration, or `tbbench run --photos`, names the folder. The set is named
after what is in it, "photos-rex-3f9a1c0b27de": the name goes into every cell, so another photo or
another word for the subject is another data set, and results of two are never one column. What is
known of the set is kept as one small record in the cache folder, where every worker finds it by
that name; the photos stay where they are, and none is used that is not as it was planned.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmark.any_pictures.picture_files import UnreadableError, decode
from benchmark.atomic import digest
from benchmark.dreambench import DreamBench
from benchmark.errors import DamagedPhotoError, UserError, shown
from benchmark.paths import cache_root
from benchmark.records import read_versioned, seal_holds, write_sealed
from benchmark.same_picture import same_pictures
from benchmark.subjects import Photo, Prompt, Subject, SubjectFacts, unknown

if TYPE_CHECKING:
    from benchmark.config_photos import Photos

PREFIX = "photos-"
NAME = re.compile(r"photos-[a-z0-9_]{1,40}-[0-9a-f]{12}")
SPLIT = "n1"
VERSION = 1
LONGEST_NAME = 200
"""Bytes of a photo's file name: names are made of it that must not pass 255."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
UNREADABLE = (".heic", ".heif", ".avif", ".gif", ".raw", ".dng", ".cr2", ".nef", ".arw")
LIVE = ("dog", "puppy", "cat", "kitten", "horse", "pony", "bird", "rabbit", "hamster", "animal")
"""Class nouns taken for live subjects where nobody says; DreamBench's own are dogs and cats."""


def is_name(dataset: str) -> bool:
    """Whether a data set's name is one of a folder of photos."""
    return NAME.fullmatch(dataset) is not None


def set_name(
    subject: str,
    class_noun: str,
    descriptor: str,
    live: bool,
    seen: Mapping[str, str],
    unseen: Mapping[str, str],
) -> str:
    """The data set's name: the subject's, and 12 hex digits over everything that is known of it.

    seen, unseen: training and held-out photos, name -> SHA-256.
    """
    facts = [subject, class_noun, descriptor, live, dict(seen), dict(unseen)]
    return f"{PREFIX}{subject}-{digest(facts, 12)}"


class OwnPhotos:
    """The data set, from its record: see `register`."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._folder = Path(record["folder"])
        self._subject: str = record["subject"]
        self._seen: Mapping[str, str] = record["seen"]
        self._facts = SubjectFacts(
            name=self._subject,
            class_noun=record["class_noun"],
            live=record["live"],
            descriptor=record["descriptor"],
            checksums=dict(sorted({**record["seen"], **record["unseen"]}.items())),
        )
        self.name = set_name(
            self._subject,
            self._facts.class_noun,
            self._facts.descriptor,
            self._facts.live,
            record["seen"],
            record["unseen"],
        )

    def subject_names(self) -> list[str]:
        """The one subject."""
        return [self._subject]

    def facts(self, subject_name: str) -> SubjectFacts:
        """What is known without opening a photo."""
        if subject_name != self._subject:
            raise UserError(unknown("subject", subject_name, [self._subject], f" of {self.name}"))
        return self._facts

    def subject(self, name: str) -> Subject:
        """The subject; DamagedPhotoError when a photo is missing, changed or no picture."""
        facts = self.facts(name)
        photos = []
        for photo, sha256 in facts.checksums.items():
            opener = partial(_open, self._folder, photo, sha256)
            opener()
            photos.append(Photo(photo, sha256, opener))
        return Subject(name, facts.class_noun, facts.live, facts.descriptor, tuple(photos))

    def prompts(self, live: bool) -> list[Prompt]:
        """DreamBench's 25 prompts for live subjects or its 25 for objects."""
        return DreamBench().prompts(live)

    def split_names(self) -> list[str]:
        """`n1`: one photo trains, the others are held out."""
        return [SPLIT]

    def split(self, name: str) -> dict[str, tuple[str, ...]]:
        """The subject -> its training photo."""
        if name != SPLIT:
            raise UserError(unknown("split", name, [SPLIT], f" of {self.name}"))
        return {self._subject: tuple(self._seen)}

    def oracle(self, subject_name: str, prompt: Prompt, seed: int) -> None:
        """Nothing: nobody can draw the right answer for a real photo."""


def open_photos(name: str) -> OwnPhotos:
    """The data set of that name, from its record in the cache folder; UserError without one."""
    path = _record(name)
    record = read_versioned(path, VERSION) if seal_holds(path) else {}
    dataset = OwnPhotos(record) if record else None
    if dataset is None or dataset.name != name:
        raise UserError(
            f"nothing is known here of the data set {name!r}; run its configuration again, which "
            "names the folder of photos, or set TBBENCH_CACHE to the folder it was run with"
        )
    return dataset


def register(photos: Photos) -> OwnPhotos:
    """The data set that a [photos] table describes, its record kept for the workers.

    UserError that names the file or key for whatever cannot be used.
    """
    folder = Path(photos.folder).expanduser().resolve()
    subject = subject_name(photos)
    found = _checksums(folder)
    train = photos.train_photo or next(iter(found))
    if train not in found:
        raise UserError(unknown("photo", train, list(found), f" in {folder} (photos.train_photo)"))
    record = {
        "version": VERSION,
        "folder": str(folder),
        "subject": subject,
        "class_noun": photos.class_noun,
        "descriptor": photos.descriptor or "",
        "live": is_live(photos),
        "seen": {train: found[train]},
        "unseen": {name: sha for name, sha in found.items() if name != train},
    }
    dataset = OwnPhotos(record)
    path = _record(dataset.name)
    if read_versioned(path, VERSION) != record or not seal_holds(path):
        # A file that is no picture is told now, and by its name.
        images = {photo.name: photo.load() for photo in dataset.subject(subject).photos}
        if same := same_pictures(images):
            raise UserError(
                f"{folder}: {same[0]} and {same[1]} are one picture, saved twice; remove one: "
                "a held-out photo must show what training has not seen"
            )
        write_sealed(path, record)
    return dataset


def subject_name(photos: Photos) -> str:
    """The subject's name, or one made of the folder's: it becomes part of file names."""
    if photos.name is not None:
        return photos.name
    folder = Path(photos.folder).expanduser().resolve().name
    name = re.sub(r"[^a-z0-9]+", "_", folder.lower()).strip("_")[:40].strip("_")
    if not name:
        raise UserError(
            f"photos.folder: no name can be made of {shown(folder)}; give one, with --name or as "
            "photos.name"
        )
    return name


def is_live(photos: Photos) -> bool:
    """Whether the subject gets the prompts of live ones; guessed by its class noun if not said."""
    if photos.live is not None:
        return photos.live
    return photos.class_noun.lower().split()[-1] in LIVE


def about(photos: Photos, dataset: OwnPhotos) -> list[str]:
    """What was chosen for the user, one line each: training photo, prompts, what is missing."""
    train = dataset.split(SPLIT)[dataset.subject_names()[0]][0]
    held_out = len(dataset.facts(dataset.subject_names()[0]).checksums) - 1
    kind = "live subjects" if is_live(photos) else "objects"
    guessed = "" if photos.live is not None else f", guessed from {photos.class_noun!r}"
    other = "--object" if is_live(photos) else "--live-subject"
    hint = f" ({other} for the others)" if guessed else ""
    lines = [f"prompts: DreamBench's for {kind}{guessed}{hint}"]
    if held_out:
        rest = "1 other photo is" if held_out == 1 else f"{held_out} other photos are"
        lines.append(f"trains on {train}; {rest} held out")
    else:
        lines.append(
            f"trains on {train}, the only photo: fidelity to held-out photos (unseen) is not "
            "measured; add photos to the folder to have it"
        )
    return lines


def _record(name: str) -> Path:
    return cache_root() / "photos" / f"{name}.json"


def _checksums(folder: Path) -> dict[str, str]:
    """Photo -> SHA-256, sorted by name; UserError for a folder that is not photos alone."""
    try:
        files = sorted(path for path in folder.iterdir() if not _of_the_system(path))
    except OSError as error:
        raise UserError(
            f"photos.folder: {folder} cannot be read ({error.strerror}); give the folder that "
            "holds the subject's photos"
        ) from error
    if not files:
        raise UserError(f"photos.folder: {folder} holds no photos; put at least one in it")
    found: dict[str, str] = {}
    for path in files:
        _check_file(path, files)
        try:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from error
        same = [name for name, other in found.items() if other == sha256]
        if same:
            raise UserError(f"{folder}: {same[0]} and {path.name} are the same file; remove one")
        found[path.name] = sha256
    return found


def _check_file(path: Path, files: Sequence[Path]) -> None:
    """UserError for a name that cannot be a photo's."""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UserError(
            f"{path.parent}: the name {shown(path.name)} is longer than {LONGEST_NAME} bytes; "
            "rename the photo"
        )
    suffix = path.suffix.lower()
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; the folder of photos holds the photos of one subject alone"
        )
    if not path.name.isprintable() or not set("\\/+:").isdisjoint(path.name):
        raise UserError(f"{path.parent}: rename {shown(path.name)}: its name holds odd characters")
    if suffix in UNREADABLE:
        raise UserError(f"{path}: {suffix[1:].upper()} is not read; save it as JPEG or PNG")
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path} is no photo ({', '.join(one[1:] for one in SUFFIXES)}); move it elsewhere"
        )
    for other in files:
        if other != path and other.stem.lower() == path.stem.lower():
            raise UserError(
                f"{path.parent}: {path.name} and {other.name} have one name; rename one of them"
            )


def _of_the_system(path: Path) -> bool:
    """Files that a system leaves in every folder."""
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini")


def _open(folder: Path, name: str, sha256: str) -> Image.Image:
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedPhotoError(
            f"{path} cannot be read ({error.strerror}); put it back, or start the run again "
            "without it"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedPhotoError(f"{path} has changed since the run was planned; start it again")
    try:
        opened = decode(content)
    except UnreadableError as error:
        raise DamagedPhotoError(f"{path}: {error}; mend or remove it") from error
    if opened.transparent:
        raise DamagedPhotoError(
            f"{path}: some pixels are transparent, and what lies behind them is not said; save it "
            "on a background"
        )
    return opened.image
