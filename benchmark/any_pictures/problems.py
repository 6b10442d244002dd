"""What was not as it should be: listed for a terminal, as a table, and as warnings in a report."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence

from benchmark.any_pictures.records import Problem
from benchmark.errors import UserError, short

KINDS = {
    "missing": "pictures that are not there",
    "unreadable": "files that cannot be read, or not to their end",
    "altered": "files that are not as the run made them",
    "unfinished": "cells that are not done",
    "ambiguous": "files that could be several things",
    "unknown-subject": "files of a subject that the data set does not have",
    "unknown-prompt": "files of a prompt that the subject does not have",
    "no-reference": "files without one clear reference photo",
    "bad-row": "rows of a manifest that are not complete",
    "stray": "pictures and folders where the layout has no place for them",
    "no-picture": "files that are no pictures",
    "lossy": "pictures from lossy files",
    "transparent": "pictures with transparent pixels",
    "size": "pictures of another size than most",
    "cropped": "pictures that are not square",
    "repeated": "pictures that are the same as another of their prompt",
    "unlike": "subjects whose photo or prompts differ between methods",
}
NOTES = ("no-picture", "lossy", "transparent", "size", "cropped", "repeated", "unlike")
"""Kinds that leave no picture out: `--strict` lets them pass."""
ONE_MISSING = "there is no such picture"
ALL_MISSING = "there is no picture of this subject"
COLUMNS = ("kind", "method", "subject", "prompt", "seed", "file", "what")
SHOWN = 8
"""Names that a warning gives; the table has them all."""


def serious(problems: Iterable[Problem]) -> list[Problem]:
    """Those that leave a picture out."""
    return [problem for problem in problems if problem.kind not in NOTES]


def refuse_serious(problems: Iterable[Problem]) -> None:
    """UserError when any problem leaves a picture out: what `--strict` asks for."""
    left_out = serious(problems)
    if left_out:
        raise UserError(
            f"{len(left_out)} problems, listed above; mend them, or leave out --strict to score "
            "what is there"
        )


def table(problems: Iterable[Problem]) -> str:
    """problems.csv: one row per problem, in the order of `KINDS`."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    for p in _ordered(problems):
        seed = "" if p.seed is None else p.seed
        writer.writerow([p.kind, p.method, p.subject, p.prompt, seed, p.where, p.what])
    return content.getvalue()


def listing(problems: Sequence[Problem]) -> Iterator[str]:
    """Lines for a terminal: every problem, by kind, with counts.

    Missing pictures share a line per method and subject; notes that may hold for every picture
    are counted, their names are in the table.
    """
    for kind, title in KINDS.items():
        mine = [problem for problem in problems if problem.kind == kind]
        if not mine:
            continue
        yield f"{len(mine)} {title} ({kind})"
        if kind == "missing":
            yield from _missing(mine)
        elif kind in ("lossy", "transparent"):
            yield f"  {_some([_named(problem) for problem in mine])}"
        else:
            yield from (
                f"  {short(_named(problem), 300)}: {short(problem.what, 600)}" for problem in mine
            )


def warnings(problems: Sequence[Problem], scored: int) -> list[str]:
    """What a reader of the report must know, one sentence or two per kind; plain text.

    scored: how many pictures were scored.
    """
    found = []
    for kind, title in KINDS.items():
        mine = [problem for problem in problems if problem.kind == kind]
        if not mine or kind == "no-picture":
            continue
        names = _some([_named(problem) for problem in mine])
        if kind == "missing":
            by_method = _counted(problem.method for problem in mine)
            found.append(
                f"{len(mine)} of the pictures that there should be are missing ({by_method}). Means"
                " are over those that are there; problems.csv lists the others."
            )
        elif kind == "lossy":
            forms = ", ".join(sorted({problem.what for problem in mine}))
            found.append(
                f"{len(mine)} of {scored} scored pictures come from lossy files ({forms}): "
                f"compression changes scores, so compare them with equally compressed ones. {names}"
            )
        elif kind == "transparent":
            found.append(
                f"{len(mine)} of {scored} scored pictures have transparent pixels, whose colours "
                f"were scored as they are stored. {names}"
            )
        elif kind == "unlike":
            whats = " ".join(f"{problem.subject}: {problem.what}." for problem in mine)
            found.append(f"Between methods the references are not the same. {whats}")
        else:
            found.append(f"Not scored: {len(mine)} {title}. {names}")
    return found


def _ordered(problems: Iterable[Problem]) -> list[Problem]:
    order = list(KINDS)
    return sorted(problems, key=lambda problem: order.index(problem.kind))


def _named(problem: Problem) -> str:
    parts = (problem.method, problem.where or problem.subject)
    return " · ".join(part for part in parts if part)


def _missing(problems: Sequence[Problem]) -> Iterator[str]:
    """A line per method and subject; the subjects that a method has nothing of share one."""
    nothing: dict[str, dict[str, int]] = {}
    some: dict[tuple[str, str], dict[str, list[str]]] = {}
    for p in problems:
        if p.what == ALL_MISSING:
            subjects = nothing.setdefault(p.method, {})
            subjects[p.subject] = subjects.get(p.subject, 0) + 1
        else:
            prompts = some.setdefault((p.method, p.subject), {})
            prompts.setdefault(p.prompt, []).append(str(p.seed))
    for (method, subject), prompts in some.items():
        lacks = "; ".join(f"{prompt} {', '.join(seeds)}" for prompt, seeds in prompts.items())
        yield f"  {method} · {subject}, prompt and seeds: {lacks}"
    for method, subjects in nothing.items():
        names = ", ".join(f"{subject} ({count})" for subject, count in subjects.items())
        yield f"  {method}, not one picture of: {names}"


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more, see problems.csv" if more > 0 else shown


def _counted(names: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
