"""Several subjects learned together, "dog6+teapot", as one subject of a data set.

Its class noun names all of them ("dog and teapot"), its photos are those of all, called
"dog6/05.jpg": so a score against the photos is one against the photos of every subject in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.errors import UserError, shown
from benchmark.subjects import Dataset, Subject, SubjectFacts

SIGN = "+"


def parts(subject: str) -> list[str]:
    """The subjects that a name stands for; most names stand for themselves."""
    return subject.split(SIGN)


def check_together(subjects: Sequence[str]) -> None:
    """UserError for a subject beside itself, and for the same ones together in another order."""
    seen: dict[tuple[str, ...], str] = {}
    for name in subjects:
        alike = tuple(sorted(parts(name)))
        if len(set(alike)) < len(alike):
            raise UserError(f"subjects: {shown(name)} has one subject twice; name each once")
        if other := seen.get(alike):
            raise UserError(
                f"subjects: {shown(other)} and {shown(name)} are the same ones together, which "
                "would count as two; leave one out"
            )
        seen[alike] = name


def facts_together(dataset: Dataset, name: str) -> SubjectFacts:
    """What planning needs to know; the first subject says which prompts there are."""
    if SIGN not in name:
        return dataset.facts(name)
    found = [dataset.facts(part) for part in parts(name)]
    return SubjectFacts(
        name=name,
        class_noun=" and ".join(one.class_noun for one in found),
        live=found[0].live,
        descriptor=" and ".join(one.descriptor for one in found),
        checksums={
            f"{one.name}/{photo}": sha for one in found for photo, sha in one.checksums.items()
        },
    )


def subject_together(dataset: Dataset, name: str) -> Subject:
    """The subject with the photos of all its parts; DamagedPhotoError as `Dataset.subject`."""
    if SIGN not in name:
        return dataset.subject(name)
    found = [dataset.subject(part) for part in parts(name)]
    facts = facts_together(dataset, name)
    photos = tuple(
        replace(photo, name=f"{one.name}/{photo.name}") for one in found for photo in one.photos
    )
    return Subject(name, facts.class_noun, facts.live, facts.descriptor, photos)


def split_together(split: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The training photos of a subject, or of all the subjects that its name stands for."""
    if SIGN not in name:
        return split[name]
    return tuple(f"{part}/{photo}" for part in parts(name) for photo in split[part])
