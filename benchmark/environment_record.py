"""environment.json: every machine and software that a run's cells were worked on under."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmark.atomic import read_record
from benchmark.environment import identity
from benchmark.records import seal_holds, write_sealed

OTHERS = "other_environments"
"""Key of environment.json: the same facts of other machines that worked on the run, or of the same
one with other software."""
LOST = "earlier_not_known"
"""Key of environment.json, true: what cells that were done before ran on was damaged or lost."""


def record_environment(run: Path, new: Mapping[str, Any]) -> None:
    """Writes the run's environment.json; what was used before stays in it, and so does that it is
    not known, where the file is gone or not as it was written."""
    path = run / "environment.json"
    run.mkdir(parents=True, exist_ok=True)
    with FileLock(run / ".environment.lock"):
        known = recorded_environment(run)
        write_sealed(path, joined([new, known] if known else [new]))


def record_loss(run: Path) -> None:
    """Writes that it is not known what cells ran on, where they are there and the file is gone."""
    path = run / "environment.json"
    if path.is_file():
        return
    with FileLock(run / ".environment.lock"):
        if not path.is_file() and (lost := recorded_environment(run)):
            write_sealed(path, lost)


def recorded_environment(run: Path) -> dict[str, Any]:
    """environment.json of a run for what is to be written; `LOST` alone where it cannot be trusted
    or is missing though there are cells. Empty for a new run."""
    path = run / "environment.json"
    known = read_record(path)
    if seal_holds(path) is False or (not known and any(run.glob("cells/*/cell.json"))):
        return {LOST: True}
    return known


def has_worker(known: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether environment.json, its content being `known`, has what a worker under the entry found.
    True where there is no such file, for nothing is to be added then."""
    if not known:
        return True
    place = _place(known, entry)
    return place is not None and "worker" in entries(known)[place]


def put_on_record(run: Path, entry: Mapping[str, Any]) -> str:
    """The entry's `identity`, after it has been added to the run's environment.json: such as of a
    node of a cluster, or of code that was edited or updated while the run goes on."""
    if _place(read_record(run / "environment.json"), entry) is None:
        keep_entry(run, entry)
    return identity(entry)


def keep_entry(run: Path, entry: Mapping[str, Any]) -> None:
    """Adds an entry, perhaps with a `worker`, to the run's environment.json; not to one that is not
    there.

    Of one that is there already only what its worker found is added. On a full disk the next worker
    is left to do it.
    """
    path = run / "environment.json"
    with contextlib.suppress(OSError), FileLock(run / ".environment.lock"):
        known = read_record(path)
        # What was altered must not be sealed as right.
        if not known or seal_holds(path) is False:
            return
        every = entries(known)
        place = _place(known, entry)
        if place is None:
            every.append({**entry})
        else:
            every[place] = {**entry, **every[place]}
        first, *others = every
        content = {**first, OTHERS: others} if others else first
        content = {**content, LOST: True} if known.get(LOST) else content
        if content != known:
            write_sealed(path, content)


def used(environment: Mapping[str, Any], identities: Iterable[Collection[str]]) -> dict[str, Any]:
    """environment.json's content without what no cell was worked on under.

    identities: of every cell that is done, as its cell.json keeps them; none of one of an earlier
    version, which may have been done under any. What a cell names and is not there was lost, with
    the file or with a backup that was laid over it.
    """
    wanted: set[str] = set()
    for of_cell in identities:
        if not of_cell:
            return dict(environment)
        wanted.update(of_cell)
    every = {identity(entry): entry for entry in reversed(entries(environment))}
    found = [entry for name, entry in every.items() if name in wanted]
    if not wanted:
        return dict(environment)
    # `worker`: somebody worked under each of these.
    whole = joined([{"worker": {}, **entry} for entry in reversed(found)])
    return {**whole, LOST: True} if wanted - every.keys() else whole


def entries(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entry of every environment in the content of environment.json, the latest first."""
    own = {name: value for name, value in known.items() if name not in (OTHERS, LOST)}
    return [own, *({**other} for other in known.get(OTHERS, []))]


def joined(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first environment, with all others under `OTHERS`, each once.

    Of two that are the same the earlier tells, and the later adds what only it knows, such as what
    a worker found. One machine with other packages is another environment: cells that were done
    before an update must not seem to come from after it.
    """
    known: dict[str, dict[str, Any]] = {}
    lost = any(environment.get(LOST) for environment in environments)
    for environment in environments:
        for one in entries(environment):
            if not one:
                continue
            name = identity(one)
            known[name] = {**one, **known.get(name, {})}
    first, *others = [*known.values()] or [{}]
    whole = {**first, OTHERS: others} if others else first
    return {**whole, LOST: True} if lost else whole


def _place(known: Mapping[str, Any], entry: Mapping[str, Any]) -> int | None:
    """Which of the entries has the same identity."""
    wanted = identity(entry)
    return next((n for n, one in enumerate(entries(known)) if identity(one) == wanted), None)
