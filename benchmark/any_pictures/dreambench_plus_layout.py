"""DreamBench++'s samples: src_image/, text/ and tgt_image/, matched by subject and numbers.

    src_image/live_subject_animal_00_kitten/0_0.jpg    the reference photo, once per picture
    text/live_subject_animal_00_kitten/0_0.txt         the prompt
    tgt_image/live_subject_animal_00_kitten/0_0.jpg    the picture; prompt 0, the 0th made of it

Source: README.md ("Output images will be organized in the following structure") and
`dreambench_plus/generate_images.py` of github.com/yuangpeng/dreambench_plus. The folder brings its
subjects and prompts with it: the one reference photo is what methods train on (`seen`), no photo is
held out, and the prompts are the text files' own words.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from benchmark.any_pictures.picture_files import UnreadableError, open_picture
from benchmark.any_pictures.records import Problem, Reading, Record, Target, stray, visible
from benchmark.subjects import Photo, Subject

NAME = "dreambench++"
FOLDERS = ("src_image", "text", "tgt_image")
NUMBERS = re.compile(r"(\d{1,9})(?:_(\d{1,9}))?")
"""`{prompt}_{picture}`, or `{prompt}` alone."""
SUBJECT = re.compile(r"(?P<category>.+)_(?P<number>\d+)_(?P<noun>.+)")


@dataclass
class _Files:
    """What a folder holds of one subject; lists because two suffixes may share a stem."""

    photos: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def fits(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return all((folder / name).is_dir() for name in FOLDERS)


def read(folder: Path, method: str) -> Reading:
    """Every picture whose reference photo and text are there; what is not, is a problem."""
    reading = Reading(NAME, folder, targets={})
    assert reading.targets is not None
    for path in visible(folder):
        if path.name not in FOLDERS:
            expected = "src_image, text and tgt_image alone"
            reading.problems.append(stray(path, folder, method, expected))
    for subject, files in _files(reading, folder, method).items():
        prompts = _prompts(reading, files, method, subject)
        photo = _reference(reading, files, method, subject)
        if photo is None:
            what = "not scored: the subject's reference photo is not clear"
            reading.problems += [
                Problem("no-reference", what, _where(file, folder), method, subject)
                for file in files.pictures
            ]
            continue
        reading.targets[subject] = _target(subject, prompts, photo, files)
        for file in files.pictures:
            number, seed = _numbers(file)
            where = _where(file, folder)
            if number in prompts:
                record = Record(file, where, method, subject, number, "id", seed)
                reading.records.append(record)
            else:
                what = f"no clear text in text/{subject}/{file.stem}.txt"
                reading.problems.append(
                    Problem("unknown-prompt", what, where, method, subject, number, seed)
                )
    return reading


def _files(reading: Reading, root: Path, method: str) -> dict[str, _Files]:
    """Subject -> its files. What has no numbers for a name or no subject is a problem."""
    found: dict[str, _Files] = {}
    for kind in FOLDERS:
        for folder in visible(root / kind):
            if not folder.is_dir():
                reading.problems.append(stray(folder, root, method, "one folder per subject"))
                continue
            mine = found.setdefault(folder.name, _Files())
            lists = {"src_image": mine.photos, "text": mine.texts, "tgt_image": mine.pictures}
            for file in visible(folder):
                named = NUMBERS.fullmatch(file.stem) and not file.is_dir()
                if not named or (kind == "text") != (file.suffix.lower() == ".txt"):
                    expected = "files 0_0.txt, ..." if kind == "text" else "pictures 0_0.jpg, ..."
                    reading.problems.append(stray(file, root, method, expected))
                    continue
                lists[kind].append(file)
    return dict(sorted(found.items()))


def _prompts(reading: Reading, files: _Files, method: str, subject: str) -> dict[str, str]:
    """Number -> text, for every prompt whose files all say the same."""
    texts: dict[str, dict[str, Path]] = {}
    for file in files.texts:
        where = _where(file, reading.source)
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = f"no UTF-8 text: {error}"
            reading.problems.append(Problem("unreadable", what, where, method, subject))
            continue
        if not text:
            what = "the text is empty"
            reading.problems.append(Problem("unreadable", what, where, method, subject))
            continue
        texts.setdefault(_numbers(file)[0], {})[text] = file
    for number, said in texts.items():
        if len(said) > 1:
            names = ", ".join(file.name for file in said.values())
            what = f"prompt {number} has {len(said)} different texts: {names}"
            where = f"text/{subject}"
            reading.problems.append(Problem("ambiguous", what, where, method, subject, number))
    # A method's template has {subject} in it; these are words, and stay as they are.
    return {
        number: next(iter(said))
        for number, said in sorted(texts.items(), key=lambda item: int(item[0]))
        if len(said) == 1
    }


def _reference(reading: Reading, files: _Files, method: str, subject: str) -> Photo | None:
    """The one photo that all files in src_image show; None where there is not exactly one."""
    by_bytes: dict[str, Path] = {}
    for file in files.photos:
        by_bytes.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
    by_pixels: dict[str, Path] = {}
    for file in by_bytes.values():
        try:
            image = open_picture(file).image
        except UnreadableError as error:
            where = _where(file, reading.source)
            reading.problems.append(Problem("unreadable", str(error), where, method, subject))
            continue
        pixels = b"%d %d " % image.size + image.tobytes()
        by_pixels.setdefault(hashlib.sha256(pixels).hexdigest(), file)
    if len(by_pixels) == 1:
        sha256, file = next(iter(by_pixels.items()))
        return Photo("reference.png", sha256, partial(_load, file))
    where = f"src_image/{subject}"
    if by_pixels:
        names = ", ".join(file.name for file in by_pixels.values())
        what = f"{len(by_pixels)} different reference photos where one is expected: {names}"
        reading.problems.append(Problem("ambiguous", what, where, method, subject))
    else:
        what = "no readable reference photo"
        reading.problems.append(Problem("no-reference", what, where, method, subject))
    return None


def _target(subject: str, prompts: dict[str, str], photo: Photo, files: _Files) -> Target:
    match = SUBJECT.fullmatch(subject)
    noun = (match["noun"] if match else subject).replace("_", " ")
    live = subject.startswith("live_subject")
    named = [*files.photos, *files.texts, *files.pictures]
    return Target(
        subject=subject,
        class_noun=noun,
        descriptor="",
        live=live,
        dataset=NAME,
        split="reference",
        prompts=prompts,
        seen={photo.name: photo.sha256},
        unseen={},
        photos=lambda: Subject(subject, noun, live, "", (photo,)),
        seeds=tuple(sorted({_numbers(file)[1] for file in named})),
    )


def _load(file: Path) -> Image.Image:
    return open_picture(file).image


def _numbers(file: Path) -> tuple[str, int]:
    """Prompt and picture number of a file called like `NUMBERS`."""
    match = NUMBERS.fullmatch(file.stem)
    assert match is not None, f"{file} was let in by its name"
    return str(int(match[1])), int(match[2] or 0)


def _where(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()
