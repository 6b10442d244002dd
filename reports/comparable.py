"""May the numbers of several runs stand in one table? Pure functions of the runs' planned cells."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmark.errors import UserError
from benchmark.plan import Cell

Planned = tuple[str, Sequence[Cell]]
"""A run as people call it, such as its folder, and its planned cells."""

FACTS: Mapping[str, Callable[[Cell], object]] = {
    "data set": lambda cell: cell.dataset,
    "split": lambda cell: cell.split,
    "backbone": lambda cell: cell.backbone,
    "backbone revision": lambda cell: cell.backbone_revision,
    "resolution": lambda cell: cell.resolution,
    "protocol": lambda cell: cell.protocol_name or "none",
    "sampler": lambda cell: cell.sampler,
    "steps": lambda cell: cell.steps,
    "guidance scale": lambda cell: cell.guidance_scale,
    "generation seeds": lambda cell: tuple(sorted(cell.seeds)),
    "version of the harness's outcomes": lambda cell: cell.outcome_version,
}
"""What has one value per run, and the same in all runs of a report."""

PHOTOS: Mapping[str, Callable[[Cell], Mapping[str, str]]] = {
    "training": lambda cell: cell.seen,
    "held-out": lambda cell: cell.unseen,
}
"""Name -> checksum, the same for a subject that several runs have."""

SCORING: Mapping[str, Callable[[Cell], Mapping[str, str]]] = {
    "version of metric": lambda cell: cell.metrics,
    "revision of encoder": lambda cell: {**cell.image_encoders, **cell.text_encoders},
}
"""What may be there or not, but is the same wherever it is: other weights, another score."""


def check_comparable(runs: Sequence[Planned]) -> None:
    """UserError, in one line with both values, for the first thing that sets two runs apart.

    Methods, their settings, training seeds and subjects may differ, and so may the choice of
    metrics and encoders: a method without a score has none in the table.
    """
    for other in runs[1:]:
        _check_pair(runs[0], other)


def _check_pair(one: Planned, two: Planned) -> None:
    for what, of in FACTS.items():
        first, second = (_values(of(cell) for cell in cells) for _, cells in (one, two))
        if first != second:
            raise _refusal(one, two, what, _shown(first), _shown(second))
    for live, kind in ((True, "live subjects"), (False, "objects")):
        prompts = [_prompts(cell for cell in cells if cell.live == live) for _, cells in (one, two)]
        if all(prompts):
            _same(one, two, f"prompts of {kind},", prompts, lacking_differs=True)
    for subject in _subjects(one[1]) & _subjects(two[1]):
        _check_subject(subject, one, two)
    for what, of in SCORING.items():
        scored = [_together(of(cell) for cell in cells) for _, cells in (one, two)]
        _same(one, two, what, scored, lacking_differs=False)
    _check_written(one, two)


def _check_written(one: Planned, two: Planned) -> None:
    """UserError where metrics of two names, each in one run alone, write scores of one name."""
    from benchmark.metrics import get_metric, own_metric_names

    own = set(own_metric_names())  # no two of these do
    named = [{name for cell in cells for name in cell.metrics} - own for _, cells in (one, two)]
    for mine in sorted(named[0] - named[1]):
        for theirs in sorted(named[1] - named[0]):
            taken: list[str] = []
            with contextlib.suppress(Exception):  # a package that is not here says nothing
                taken = sorted(get_metric(mine).EMITS.keys() & get_metric(theirs).EMITS.keys())
            if taken:
                raise UserError(
                    f"metric {mine!r} of {one[0]} and metric {theirs!r} of {two[0]} both write "
                    f"{taken[0]!r}, and nobody could tell them apart; report these runs one by one"
                )


def _check_subject(subject: str, one: Planned, two: Planned) -> None:
    mine = [[cell for cell in cells if cell.subject == subject] for _, cells in (one, two)]
    nouns = [{"class noun": {cell.class_noun for cell in cells}} for cells in mine]
    _same(one, two, f"{subject},", nouns, lacking_differs=True)
    prompts = [_prompts(cells) for cells in mine]
    _same(one, two, f"prompts of {subject},", prompts, lacking_differs=True)
    for kind, of in PHOTOS.items():
        photos = [_together(of(cell) for cell in cells) for cells in mine]
        _same(one, two, f"{kind} photos of {subject},", photos, lacking_differs=True)
    others = [_together(cell.others for cell in cells) for cells in mine]
    if all(others):  # only where a metric looks at them
        _same(one, two, "photos of other subjects,", others, lacking_differs=True)


def _same(
    one: Planned,
    two: Planned,
    what: str,
    values: Sequence[Mapping[str, set[str]]],
    lacking_differs: bool,
) -> None:
    """Refuses the first name whose values differ; also one that only one side has, if told so."""
    first, second = values
    for name in sorted(first.keys() | second.keys()):
        lacking = name not in first or name not in second
        if first.get(name) != second.get(name) and (lacking_differs or not lacking):
            shown = (_shown(side[name]) if name in side else "missing" for side in values)
            raise _refusal(one, two, f"{what} {name!r}", *shown)


def _refusal(one: Planned, two: Planned, what: str, first: str, second: str) -> UserError:
    return UserError(
        f"{one[0]} and {two[0]} cannot be compared: {what} is {first} in {one[0]} and {second} in "
        f"{two[0]}; report them apart"
    )


def _values(found: Iterable[object]) -> set[str]:
    return {str(value) for value in found}


def _prompts(cells: Iterable[Cell]) -> dict[str, set[str]]:
    return _together(cell.prompts for cell in cells)


def _together(found: Iterable[Mapping[str, str]]) -> dict[str, set[str]]:
    """Name -> all values that it has."""
    together: dict[str, set[str]] = {}
    for mapping in found:
        for name, value in mapping.items():
            together.setdefault(name, set()).add(value)
    return together


def _subjects(cells: Iterable[Cell]) -> set[str]:
    return {cell.subject for cell in cells}


def _shown(values: Iterable[str]) -> str:
    return " and ".join(repr(value) for value in sorted(values)) or "missing"
