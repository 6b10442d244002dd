"""Records -> batches: which subject, prompt and seed every picture belongs to.

A file's name is never turned back into a prompt. Every prompt of the subject is spelled the way the
layout spells prompts, and a record belongs to the one that is spelled like it; to none, when none
is, or when several are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from benchmark.any_pictures.problems import ALL_MISSING, ONE_MISSING
from benchmark.any_pictures.records import Batch, Problem, Reading, Record, Spelling, Target
from benchmark.errors import UserError
from benchmark.subjects import open_dataset, unknown

Place = tuple[str, str, str, int]
"""Method, key of the target, prompt id, seed: where one picture belongs."""


def dataset_targets(dataset_name: str, split_name: str) -> dict[str, Target]:
    """Every subject of a data set's split, with all its prompts. UserError for unknown names."""
    dataset = open_dataset(dataset_name)
    if split_name not in dataset.split_names():
        where = f" of {dataset_name}"
        raise UserError(unknown("split", split_name, dataset.split_names(), where))
    targets = {}
    for name, training in dataset.split(split_name).items():
        facts = dataset.facts(name)
        taken = {facts.checksums[photo] for photo in training}
        targets[name] = Target(
            subject=name,
            class_noun=facts.class_noun,
            descriptor=facts.descriptor,
            live=facts.live,
            dataset=dataset_name,
            split=split_name,
            prompts={prompt.id: prompt.template for prompt in dataset.prompts(facts.live)},
            seen={photo: facts.checksums[photo] for photo in training},
            unseen={p: sha for p, sha in facts.checksums.items() if sha not in taken},
            photos=lambda name=name: dataset.subject(name),  # type: ignore[misc]
        )
    return targets


def spelled(target: Target, spelling: Spelling) -> dict[str, list[str]]:
    """Every accepted spelling -> ids of the prompts that are spelled so."""
    found: dict[str, list[str]] = {}
    for id, template in target.prompts.items():
        text = template.replace("{subject}", target.class_noun)
        ways = {
            "id": {id},
            "words": {id, template, text},
            "file name": {text.replace(" ", "_")},
        }[spelling]
        for way in ways:
            found.setdefault(way, []).append(id)
    return found


def match(
    reading: Reading, targets: Mapping[str, Target]
) -> tuple[list[Batch], list[Problem], set[Place]]:
    """The batches of one reading, what fits nowhere or twice, and the places of the latter.

    Of two pictures for one place neither is taken: nobody can say which counts.
    """
    problems: list[Problem] = []
    places: dict[Place, list[Record]] = {}
    spellings: dict[tuple[str, Spelling], dict[str, list[str]]] = {}
    for record in reading.records:
        if record.subject not in targets:
            problems.append(_unknown_subject(record, targets))
            continue
        target = targets[record.subject]
        known = spellings.setdefault(
            (record.subject, record.spelling), spelled(target, record.spelling)
        )
        ids = known.get(record.prompt, [])
        if len(ids) == 1:
            place = (record.method, record.subject, ids[0], record.seed)
            places.setdefault(place, []).append(record)
        else:
            problems.append(_no_prompt(record, target, ids, list(known)))
    twice = {place for place, records in places.items() if len(records) > 1}
    for place in sorted(twice):
        names = [record.where for record in places[place]]
        for record in places[place]:
            others = ", ".join(name for name in names if name != record.where) or "another row"
            what = f"the same subject, prompt and seed as {others}; neither is scored"
            problems.append(_about(record, targets[record.subject], "ambiguous", what, place[2]))
    grouped: dict[tuple[str, str], dict[tuple[str, int], Record]] = {}
    for place, records in places.items():
        if place not in twice:
            grouped.setdefault(place[:2], {})[place[2:]] = records[0]
    batches = [
        Batch(method, key, targets[key], reading.layout, pictures)
        for (method, key), pictures in grouped.items()
    ]
    return batches, problems, twice


def missing(
    methods: Iterable[str],
    targets: Mapping[str, Target],
    asked: Sequence[int],
    used: Sequence[int],
    found: set[Place],
) -> list[Problem]:
    """Every place of the full grid, method x subject x prompt x seed, that is not in `found`.

    Its seeds are those that were asked for, or else the target's own, or else those in use
    anywhere. A target that is a cell of ours is due from that cell's method alone.
    """
    begun = {place[:2] for place in found}
    return [
        Problem(
            "missing",
            ONE_MISSING if (method, key) in begun else ALL_MISSING,
            method=method,
            subject=target.subject,
            prompt=id,
            seed=seed,
        )
        for method in methods
        for key, target in targets.items()
        if target.cell is None or target.cell.method == method
        for id in target.prompts
        for seed in asked or target.seeds or used
        if (method, key, id, seed) not in found
    ]


def _unknown_subject(record: Record, targets: Mapping[str, Target]) -> Problem:
    near = difflib.get_close_matches(record.subject, targets, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    what = f"unknown subject {record.subject!r}{hint}"
    return Problem(
        "unknown-subject",
        what,
        record.where,
        record.method,
        record.subject,
        record.prompt,
        record.seed,
    )


def _no_prompt(record: Record, target: Target, ids: list[str], known: list[str]) -> Problem:
    if ids:
        what = f"{record.prompt!r} fits several prompts: {', '.join(ids)}"
        return _about(record, target, "ambiguous", what)
    near = difflib.get_close_matches(record.prompt, known, n=1, cutoff=0.8)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    kind = "live subjects" if target.live else "objects"
    what = f"{record.prompt!r} is no prompt of {target.dataset} for {kind}{hint}"
    return _about(record, target, "unknown-prompt", what)


def _about(record: Record, target: Target, kind: str, what: str, prompt: str = "") -> Problem:
    return Problem(
        kind,
        what,
        record.where,
        record.method,
        target.subject,
        prompt or record.prompt,
        record.seed,
    )
