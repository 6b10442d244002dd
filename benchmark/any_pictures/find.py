"""From folders and manifests to pictures that can be scored, and a list of what cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.any_pictures.match import Place, dataset_targets, match, missing
from benchmark.any_pictures.picture_files import UnreadableError, open_picture
from benchmark.any_pictures.records import Batch, Problem, Reading, Target
from benchmark.any_pictures.sources import check_methods, methods_of, read_source
from benchmark.config import Scoring
from benchmark.errors import UserError
from benchmark.subjects import unknown

DATASET, SPLIT = "dreambench", "n1"


@dataclass(frozen=True)
class Request:
    """What is to be scored, and how."""

    sources: Sequence[tuple[Path, str | None]]
    """Folders and manifests, each with its method's name where one was given."""
    scoring: Scoring = field(default_factory=Scoring)
    dataset: str | None = None
    """None: that of our own runs among the sources, else DreamBench."""
    split: str | None = None
    seeds: tuple[int, ...] = ()
    """The seeds there should be. Empty: a source's own, or those that any picture has."""
    subjects: tuple[str, ...] = ()
    """The subjects there should be. Empty: all. Pictures of others are scored all the same."""
    prompts: tuple[str, ...] = ()
    """Ids of the prompts there should be. Empty: all."""
    out: Path | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Found:
    """What the sources hold, before anything is scored or written."""

    batches: Sequence[Batch]
    checksums: dict[Path, str]
    """File -> SHA-256, of every picture of the batches."""
    problems: Sequence[Problem]
    methods: Sequence[str]
    backbone_note: str

    @property
    def pictures(self) -> int:
        """How many pictures there are to score, over all batches."""
        return sum(len(batch.pictures) for batch in self.batches)

    @property
    def left_out(self) -> list[str]:
        """Methods of which there is nothing to score."""
        scored = {batch.method for batch in self.batches}
        return [method for method in self.methods if method not in scored]


def find_pictures(request: Request) -> Found:
    """Reads every source, opens every picture once, and lists whatever is wrong.

    UserError for a source that cannot be read, for two methods of one name, and for sources that
    belong to different data sets or splits.
    """
    readings = [read_source(path, name) for path, name in request.sources]
    methods = list(check_methods(readings))
    own = _own_targets(readings, request)
    _check_due(request, own)
    problems = [problem for reading in readings for problem in reading.problems]
    batches: list[Batch] = []
    known: list[set[Place]] = []
    checksums: dict[Path, str] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    for reading, targets in zip(readings, own, strict=True):
        matched, faults, twice = match(reading, targets)
        problems += faults
        known.append(twice | {(b.method, b.key, *at) for b in matched for at in b.pictures})
        for batch in matched:
            good, faults = _open_all(batch, checksums, sizes)
            problems += faults
            if good.pictures:
                batches.append(good)
    used = sorted({place[3] for places in known for place in places})
    for reading, targets, places in zip(readings, own, known, strict=True):
        lacking = missing(methods_of(reading), targets, request.seeds, used, places)
        problems += [problem for problem in lacking if _is_due(problem, request)]
    problems += _sizes(batches, sizes)
    problems += _repeated(batches, checksums)
    problems += _unlike(batches)
    notes = dict.fromkeys(reading.backbone_note for reading in readings if reading.backbone_note)
    return Found(batches, checksums, problems, methods, " ".join(notes))


def _own_targets(readings: Sequence[Reading], request: Request) -> list[dict[str, Target]]:
    """The targets of each reading; those of the data set where it brings none."""
    brought = {
        (target.dataset, target.split)
        for reading in readings
        for target in (reading.targets or {}).values()
    }
    usual = next(iter(brought)) if len(brought) == 1 else (DATASET, SPLIT)
    chosen = (request.dataset or usual[0], request.split or usual[1])
    asked = any(reading.targets is None for reading in readings)
    if asked or request.dataset or request.split:
        brought.add(chosen)
    if len(brought) > 1:
        names = " and ".join("/".join(pair) for pair in sorted(brought))
        raise UserError(
            f"these pictures belong to different data sets or splits ({names}), whose scores do "
            "not compare; score them apart, or name the right one with --dataset and --split"
        )
    shared = dataset_targets(*chosen) if asked else {}
    return [shared if reading.targets is None else reading.targets for reading in readings]


def _check_due(request: Request, own: Sequence[dict[str, Target]]) -> None:
    """UserError for a subject or prompt that there should be, and that no target has."""
    targets = [target for targets in own for target in targets.values()]
    known = {
        "subject": sorted({target.subject for target in targets}),
        "prompt": sorted({id for target in targets for id in target.prompts}),
    }
    for kind, names in (("subject", request.subjects), ("prompt", request.prompts)):
        for name in names:
            if name not in known[kind]:
                raise UserError(unknown(kind, name, known[kind]))


def _is_due(problem: Problem, request: Request) -> bool:
    return (not request.subjects or problem.subject in request.subjects) and (
        not request.prompts or problem.prompt in request.prompts
    )


def _open_all(
    batch: Batch, checksums: dict[Path, str], sizes: dict[Path, tuple[int, int]]
) -> tuple[Batch, list[Problem]]:
    """The batch without the pictures that cannot be read, and what there is to say of the rest."""
    good, problems = {}, []
    for (id, seed), record in batch.pictures.items():
        about: dict[str, Any] = {
            "where": record.where,
            "method": batch.method,
            "subject": batch.target.subject,
            "prompt": id,
            "seed": seed,
        }
        try:
            opened = open_picture(record.file)
        except UnreadableError as error:
            problems.append(Problem("unreadable", str(error), **about))
            continue
        good[id, seed] = record
        checksums[record.file] = opened.sha256
        sizes[record.file] = opened.image.size
        if opened.lossy:
            problems.append(Problem("lossy", opened.lossy, **about))
        if opened.transparent:
            problems.append(Problem("transparent", "some pixels are not opaque", **about))
    return replace(batch, pictures=good), problems


def _sizes(batches: Sequence[Batch], sizes: Mapping[Path, tuple[int, int]]) -> list[Problem]:
    """Pictures made elsewhere of unlike sizes, which may not be compared as they were meant to be,
    and those of which encoders see the middle alone."""
    made = [
        (batch, id, seed, record)
        for batch in batches
        if batch.target.cell is None
        for (id, seed), record in batch.pictures.items()
    ]
    problems: list[Problem] = []
    if not made:
        return problems
    ((usual, _),) = Counter(sizes[record.file] for *_, record in made).most_common(1)
    for batch, id, seed, record in made:
        width, height = sizes[record.file]
        about = (record.where, batch.method, batch.target.subject, id, seed)
        if (width, height) != usual:
            what = f"{width} by {height} pixels, not {usual[0]} by {usual[1]}"
            problems.append(Problem("size", what, *about))
        if width != height:
            what = f"{width} by {height} pixels; the square in the middle is scored"
            problems.append(Problem("cropped", what, *about))
    return problems


def _repeated(batches: Iterable[Batch], checksums: dict[Path, str]) -> list[Problem]:
    """Pictures made elsewhere that are byte for byte an earlier one of the same prompt: nothing is
    learned from the further seeds. A run of ours may have such, of a control."""
    problems = []
    for batch in batches:
        if batch.target.cell is not None:
            continue
        first: dict[tuple[str, str], int] = {}
        for (id, seed), record in sorted(batch.pictures.items()):
            earlier = first.setdefault((id, checksums[record.file]), seed)
            if earlier != seed:
                about = (record.where, batch.method, batch.target.subject, id, seed)
                problems.append(Problem("repeated", f"the picture of seed {earlier}", *about))
    return problems


def _unlike(batches: Iterable[Batch]) -> list[Problem]:
    """Subjects whose photos or prompts, brought by a layout, differ between two methods."""
    first: dict[str, Batch] = {}
    problems = []
    for batch in batches:
        one, other = first.setdefault(batch.target.subject, batch), batch
        subject = other.target.subject
        if one.target.seen != other.target.seen:
            what = f"{other.method} comes with another photo than {one.method}"
            problems.append(Problem("unlike", what, method=other.method, subject=subject))
        shared = one.target.prompts.keys() & other.target.prompts.keys()
        if any(one.target.prompts[id] != other.target.prompts[id] for id in shared):
            what = f"{other.method} comes with other prompts than {one.method}"
            problems.append(Problem("unlike", what, method=other.method, subject=subject))
    return problems
