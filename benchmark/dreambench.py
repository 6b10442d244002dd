"""DreamBench: 30 subjects in 158 photos, its prompts and its one-shot splits.

The facts (classes, prompts, splits, checksums) are part of this project, the photos are not. They
are read from the folder $DREAMBENCH_ROOT or from the cache folder that
`tbbench data fetch dreambench` fills, and no photo is used whose SHA-256 is not the recorded one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock
from PIL import Image, ImageOps

from benchmark.atomic import write_bytes
from benchmark.download import Progress, check_out, download
from benchmark.errors import DamagedPhotoError, UserError
from benchmark.paths import cache_root, data_root
from benchmark.subjects import Photo, Prompt, Subject, SubjectFacts, unknown

FETCH = "tbbench data fetch dreambench"
CHOSEN_SPLITS = ("n1", "n1-v2")
SHOTS = 4
"""Every subject has at least this many photos, so `n1-0` to `n1-3` exist for all of them."""


@dataclass(frozen=True)
class Recorded:
    """One row of checksums.csv: what a photo's file must be."""

    subject: str
    photo: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Fetched:
    """What a fetch did."""

    root: Path
    written: int
    """Photos written: those that were missing or damaged before."""
    kept: int
    """Photos that were there already, with the right checksum."""
    source: str
    """Where the written ones came from: an address, or empty when none was written."""


def photo_root() -> Path:
    """Where photos are looked for: $DREAMBENCH_ROOT, else the folder that fetching fills."""
    chosen = os.environ.get("DREAMBENCH_ROOT")
    return Path(chosen) if chosen else cache_root() / "dreambench"


class DreamBench:
    """The data set. `root` holds one folder of photos per subject, `facts` the tables."""

    name = "dreambench"

    def __init__(self, root: Path | None = None, facts: Path | None = None) -> None:
        self.root = root or photo_root()
        self._facts = facts or data_root() / "dreambench"
        self._subjects = {row["name"]: row for row in read_rows(self._facts / "subjects.csv")}
        self._photos: dict[str, list[Recorded]] = {name: [] for name in self._subjects}
        for photo in recorded_photos(self._facts):
            self._photos[photo.subject].append(photo)

    def subject_names(self) -> list[str]:
        """All subjects, in the order of DreamBench's own list."""
        return list(self._subjects)

    def there(self) -> bool:
        """Whether any of the photos is there, right or damaged."""
        return any((self.root / p.subject / p.photo).exists() for p in self._recorded())

    def _recorded(self) -> Iterator[Recorded]:
        return (photo for photos in self._photos.values() for photo in photos)

    def _absent(self) -> str:
        return (
            f"DreamBench's photos are not in {self.root}; get them with `{FETCH}`, "
            "or set DREAMBENCH_ROOT to the folder that holds one folder per subject"
        )

    def facts(self, subject_name: str) -> SubjectFacts:
        """What is known of a subject without its photos at hand."""
        row = self._row(subject_name)
        return SubjectFacts(
            name=subject_name,
            class_noun=row["class_noun"],
            live=row["live"] == "true",
            descriptor=row["descriptor"],
            checksums={p.photo: p.sha256 for p in self._photos[subject_name]},
        )

    def subject(self, name: str) -> Subject:
        """The subject; DamagedPhotoError when a photo of it is missing or not the recorded one."""
        facts = self.facts(name)
        if not self.there():
            raise UserError(self._absent())
        for photo in self._photos[name]:
            read_photo(self.root, photo)
        photos = tuple(
            Photo(p.photo, p.sha256, partial(_open_photo, self.root, p)) for p in self._photos[name]
        )
        return Subject(name, facts.class_noun, facts.live, facts.descriptor, photos)

    def prompts(self, live: bool) -> list[Prompt]:
        """DreamBench's 25 prompts for live subjects or its 25 for objects, in its order."""
        table = tomllib.loads((self._facts / "prompts.toml").read_text(encoding="utf-8"))
        return [Prompt(id, table["templates"][id]) for id in table["live" if live else "object"]]

    def split_names(self) -> list[str]:
        """`n1`: TextBoost's choice of the one photo, `n1-v2` that of its second version (another
        one for two subjects); `n1-k`: the k-th photo of every subject."""
        return [*CHOSEN_SPLITS, *(f"n1-{k}" for k in range(SHOTS))]

    def split(self, name: str) -> dict[str, tuple[str, ...]]:
        """Subject -> its one training photo. Every other photo of the subject is held out."""
        if name in CHOSEN_SPLITS:
            rows = read_rows(self._facts / "splits" / f"{name}.csv")
            return {row["subject"]: (row["photo"],) for row in rows}
        if name not in self.split_names():
            raise UserError(unknown("split", name, self.split_names(), " of dreambench"))
        shot = int(name.removeprefix("n1-"))
        return {subject: (photos[shot].photo,) for subject, photos in self._photos.items()}

    def oracle(self, subject_name: str, prompt: Prompt, seed: int) -> None:
        """Nothing: nobody can draw the right answer for a real photo."""

    def check(self) -> list[str]:
        """What is wrong with the photos, one line each; empty when all 158 are as recorded."""
        if not self.there():
            return [self._absent()]
        problems = []
        for photo in self._recorded():
            try:
                read_photo(self.root, photo)
            except UserError as error:
                problems.append(str(error))
        return problems

    def _row(self, subject_name: str) -> dict[str, str]:
        if subject_name not in self._subjects:
            raise UserError(unknown("subject", subject_name, self.subject_names()))
        return self._subjects[subject_name]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def recorded_photos(facts: Path) -> list[Recorded]:
    """checksums.csv as records, in the order of subjects and photo names."""
    return [
        Recorded(row["subject"], row["photo"], row["sha256"], int(row["bytes"]))
        for row in read_rows(facts / "checksums.csv")
    ]


def read_photo(root: Path, photo: Recorded) -> bytes:
    """The photo's bytes; DamagedPhotoError when the file is missing or not the recorded one."""
    path = root / photo.subject / photo.photo
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedPhotoError(
            f"DreamBench photo {photo.subject}/{photo.photo} cannot be read from {root} "
            f"({error.strerror}); get it with `{FETCH}`"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != photo.sha256:
        raise DamagedPhotoError(
            f"DreamBench photo {photo.subject}/{photo.photo} in {root} is damaged or another one: "
            f"expected SHA-256 {photo.sha256[:12]}, found {found[:12]}; get it with `{FETCH}`"
        )
    return content


def _open_photo(root: Path, photo: Recorded) -> Image.Image:
    content = read_photo(root, photo)
    try:
        with Image.open(io.BytesIO(content)) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedPhotoError(
            f"DreamBench photo {photo.subject}/{photo.photo} is no picture: {error}"
        ) from error


def fetch(
    progress: Progress | None = None, root: Path | None = None, facts: Path | None = None
) -> Fetched:
    """Bring every photo that is missing or damaged, from the public repository.

    They come out of the repository's zip archive at the recorded commit, or, when that fails, by
    git. Only files named in checksums.csv are taken, each is checked before it is put in place,
    and an interrupted download goes on where it stopped. `root` is where the photos go, by
    default where `DreamBench` looks for them. UserError when they cannot be had.
    """
    root = root or photo_root()
    facts = facts or data_root() / "dreambench"
    photos = recorded_photos(facts)
    wanted = _not_good(root, photos)
    if not wanted:
        return Fetched(root, 0, len(photos), "")
    work = root / ".fetch"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / "lock"):
            wanted = _not_good(root, photos)  # another fetch may have brought them meanwhile
            source = _bring(wanted, root, work, facts, progress) if wanted else ""
    except OSError as error:
        raise UserError(
            f"DreamBench's photos could not be fetched to {root}: {error}; check the connection "
            "and the disk and try again, or set DREAMBENCH_ROOT to a folder that has them"
        ) from error
    return Fetched(root, len(wanted), len(photos) - len(wanted), source)


def _not_good(root: Path, photos: list[Recorded]) -> list[Recorded]:
    def is_good(photo: Recorded) -> bool:
        try:
            read_photo(root, photo)
        except UserError:
            return False
        return True

    return [photo for photo in photos if not is_good(photo)]


def _bring(
    wanted: list[Recorded], root: Path, work: Path, facts: Path, progress: Progress | None
) -> str:
    """Write the wanted photos; the address they came from. OSError when both ways fail."""
    source = tomllib.loads((facts / "provenance.toml").read_text(encoding="utf-8"))["source"]
    archive = work / "archive.zip"
    try:
        download(source["archive"], archive, progress)
        try:
            _unpack(archive, source["folder"], wanted, root)
        finally:
            archive.unlink()
    except OSError as error:
        failure = f"{source['archive']}: {error}"
    else:
        return str(source["archive"])
    try:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            clone = Path(folder) / "clone"
            check_out(source["repository"], source["commit"], source["folder"], clone)
            for photo in wanted:
                path = clone / source["folder"] / photo.subject / photo.photo
                _put(root, photo, path.read_bytes())
    except OSError as error:
        raise OSError(f"{failure}; {source['repository']}: {error}") from error
    return str(source["repository"])


def _unpack(archive: Path, folder: str, wanted: list[Recorded], root: Path) -> None:
    """Take the wanted photos out of the zip. Its other members are never written anywhere."""
    try:
        with zipfile.ZipFile(archive) as members:
            top = members.namelist()[0].split("/")[0]
            for photo in wanted:
                member = members.getinfo(f"{top}/{folder}/{photo.subject}/{photo.photo}")
                if member.file_size != photo.bytes:
                    raise OSError(
                        f"{photo.subject}/{photo.photo} has {member.file_size} bytes, "
                        f"expected {photo.bytes}"
                    )
                _put(root, photo, members.read(member))
    except (zipfile.BadZipFile, KeyError, IndexError) as error:
        raise OSError(f"the archive is not the expected one ({error})") from error


def _put(root: Path, photo: Recorded, content: bytes) -> None:
    """Put a photo in place at once, once its checksum is found right."""
    found = hashlib.sha256(content).hexdigest()
    if found != photo.sha256:
        raise OSError(
            f"{photo.subject}/{photo.photo} has SHA-256 {found[:12]}, expected {photo.sha256[:12]}"
        )
    write_bytes(root / photo.subject / photo.photo, content)
