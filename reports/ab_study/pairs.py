"""Which pictures a blind study compares: pure functions of what a study has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from benchmark.atomic import checksum
from benchmark.errors import UserError
from benchmark.subjects import unknown
from reports.study import Study
from reports.tables import CONTROLS, labels


@dataclass(frozen=True)
class Place:
    """What both pictures of a pair have in common."""

    subject: str
    train_seed: int
    prompt_id: str
    seed: int


@dataclass(frozen=True)
class Chosen:
    """Two pictures to be compared."""

    place: Place
    class_noun: str
    prompt: str
    """The text, with the class noun in it."""
    methods: tuple[str, str]
    """Labels."""
    files: tuple[Path, Path]


Pictures = Mapping[Place, Mapping[str, Path]]
"""Place -> label of the method -> its picture."""


def choose(study: Study, methods: Sequence[str], wanted: int, seed: int) -> list[Chosen]:
    """At most `wanted` pairs in a random order, the same for the same study and `seed`.

    Every two methods get as many pairs as any other two, and inside them every subject, as far as
    there are pictures. `methods` are names or labels, none for all but the controls. UserError for
    a method that is not there, and when there are no two methods with a picture of the same.
    """
    cells = [cell for cell in study.cell_info() if cell["status"] == "done"]
    named = [str(label) for label in labels(pd.DataFrame(cells))] if cells else []
    chosen = _labels(cells, named, methods)
    found: dict[Place, dict[str, Path]] = {}
    about: dict[Place, tuple[str, str]] = {}
    sums: dict[Path, str | None] = {}
    for cell, label in zip(cells, named, strict=True):
        if label not in chosen:
            continue
        noun = str(cell["class_noun"])
        recorded = study.picture_sums(cell["key"])
        for id, template in cell["prompts"].items():
            for number in cell["seeds"]:
                file = study.image(cell["key"], id, number)
                if file.is_file():
                    sums[file] = recorded.get(file.name)
                    place = Place(str(cell["subject"]), cell["train_seed"], id, number)
                    found.setdefault(place, {})[label] = file
                    about[place] = (noun, template.replace("{subject}", noun))
    drawn = draw(found, chosen, wanted, seed)
    if not drawn:
        raise UserError(
            "--ab-study: no two of these methods have a picture of the same subject, prompt and "
            "seed; finish the run, or name others with --ab-methods"
        )
    for file in (found[place][label] for place, pair in drawn for label in pair):
        if sums[file] not in (None, checksum(file)):
            raise UserError(
                f"--ab-study: {file} is not the picture that was scored; `tbbench check` says what "
                "is amiss, and mends it with --repair"
            )
    return [
        Chosen(place, *about[place], pair, (found[place][pair[0]], found[place][pair[1]]))
        for place, pair in drawn
    ]


def draw(
    pictures: Pictures, chosen: Sequence[str], wanted: int, seed: int
) -> list[tuple[Place, tuple[str, str]]]:
    """(place, the two labels) of at most `wanted` pairs, balanced, in a random order."""
    random = Random(seed)
    queues = [_turns(pictures, pair, random) for pair in combinations(sorted(chosen), 2)]
    drawn: list[tuple[Place, tuple[str, str]]] = []
    while queues and len(drawn) < wanted:
        random.shuffle(queues)  # when the pairs do not come out even, chance has the last ones
        left = []
        for queue in queues:
            item = next(queue, None)
            if item is not None:
                drawn.append(item)
                left.append(queue)
        queues = left
    del drawn[wanted:]
    random.shuffle(drawn)
    return drawn


def _turns(
    pictures: Pictures, pair: tuple[str, str], random: Random
) -> Iterator[tuple[Place, tuple[str, str]]]:
    """The places where both have a picture: one of every subject in turn, until there are none."""
    by_subject: dict[str, list[Place]] = {}
    for place in sorted(pictures, key=lambda p: (p.subject, p.train_seed, p.prompt_id, p.seed)):
        if all(label in pictures[place] for label in pair):
            by_subject.setdefault(place.subject, []).append(place)
    lists = list(by_subject.values())
    for places in lists:
        random.shuffle(places)
    while lists:
        random.shuffle(lists)
        for places in lists:
            yield places.pop(), pair
        lists = [places for places in lists if places]


def _labels(
    cells: Sequence[Mapping[str, Any]], named: Sequence[str], methods: Sequence[str]
) -> list[str]:
    """The labels that are meant; UserError for an unknown one or fewer than two."""
    by_name: dict[str, list[str]] = {}
    # A control with several presets is called by more than its name.
    trained = [lb for c, lb in zip(cells, named, strict=True) if c["method"] not in CONTROLS]
    for cell, label in zip(cells, named, strict=True):
        for name in {str(cell["method"]), label}:
            by_name.setdefault(name, []).append(label)
    for name in methods:
        if name not in by_name:
            raise UserError(f"--ab-methods: {unknown('method', name, sorted(by_name))}")
    asked = [label for name in methods for label in by_name[name]]
    found = list(dict.fromkeys(asked if methods else trained))
    if len(found) < 2:
        raise UserError(
            f"--ab-study compares two methods or more, here is {', '.join(found) or 'none'}; name "
            "them with --ab-methods, controls too"
        )
    return found
