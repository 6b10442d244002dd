"""Machines and software in words, and which of them are unlike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.atomic import digest
from benchmark.environment import machine, users_variables
from benchmark.environment_record import LOST, OTHERS, entries


def made_by(environment: Mapping[str, Any]) -> str | None:
    """The versions of this project that cells were made with, `0.1.0 and 0.2.0`; None where they
    are not known. environment: as for `cautions`."""
    found = [(one.get("packages") or {}).get("textboost-bench") for one in entries(environment)]
    if environment.get(LOST) or not all(found):
        return None
    return " and ".join(sorted({str(version) for version in found}))


def in_words(environment: Mapping[str, Any]) -> str:
    """The machine for people, `cuda, NVIDIA A100, AMD EPYC 7763, 64 cores`; `unknown` without."""
    kind = str(environment.get("device") or "").partition(":")[0]
    names = dict.fromkeys(str(gpu.get("name")) for gpu in environment.get("gpus") or [])
    cores = environment.get("cores")
    words = [kind, *names, environment.get("processor"), f"{cores} cores" if cores else None]
    return ", ".join(str(word) for word in words if word) or "unknown"


def machines(environment: Mapping[str, Any]) -> list[str]:
    """The unlike machines that cells of a run were done on, each in words.

    environment: content of environment.json. A machine that only started the run is none of them;
    one that gave its cells other threads or batches at another time is two, and so is a CPU that
    another number of cells shared. With different cards in one machine each is one of its own, for
    any cell may have had any.
    """
    every = [environment, *environment.get(OTHERS, [])] if environment else []
    worked = [one for one in every if "worker" in one] or every
    found: dict[str, str] = {}
    for one in worked:
        cards = {gpu.get("name"): gpu for gpu in one.get("gpus") or []}
        apart = len(cards) > 1 and (one.get("cells_at_a_time") or 1) > 1
        for kind in [{**one, "gpus": [gpu]} for gpu in cards.values()] if apart else [one]:
            shares = [(kind.get("threads_per_cell"), "thread", "a cell")]
            if str(kind.get("device")).startswith("cpu"):
                shares.append((kind.get("cells_at_a_time"), "cell", "at a time"))
            batches = kind.get("pictures_at_once") or {}
            shares += [(n, "picture", f"at once in {stage}") for stage, n in batches.items()]
            told = [f"{n} {what}{'' if n == 1 else 's'} {each}" for n, what, each in shares if n]
            found.setdefault(digest([machine(kind), told], 16), ", ".join([in_words(kind), *told]))
    if environment.get(LOST):
        found[LOST] = "not known, for its record was damaged or lost"
    return [*found.values()]


def cautions(name: str, environment: Mapping[str, Any]) -> list[str]:
    """What readers of a run's scores and costs must know of where they come from, in sentences.

    environment: as `benchmark.collect.environment_of` gives it.
    """
    return [*unlike_software(name, [environment]), *unlike_machines(name, environment)]


def unlike_software(whose: str, environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence where cells may have been made with unlike software, else none."""
    made_with = software(*environments)
    if len(made_with) < 2:
        return []
    return [
        f"Cells of {whose} may have been made with different software "
        f"({'; '.join(made_with)}): their scores and costs need not compare."
    ]


def unlike_machines(name: str, environment: Mapping[str, Any]) -> list[str]:
    """One sentence where a run's cells were done on unlike machines or on unknown ones."""
    if environment.get(LOST):
        return [
            f"What machine and software cells of {name} were made with is not known: "
            "environment.json was lost or altered. Seconds and memory must not be compared."
        ]
    found = machines(environment)
    if len(found) < 2:
        return []
    return [
        f"Cells of {name} were done on different machines ({'; '.join(found)}): seconds and memory "
        "of its methods must not be compared."
    ]


def software(*environments: Mapping[str, Any]) -> list[str]:
    """The unlike code, packages and variables that cells may have been made with, each in words.

    A cell's key covers its method and metrics; all else that rounds or reckons otherwise is told by
    this alone. environments: contents of environment.json, one for each run.
    """
    # Also what only began a run: a training that it left half done was gone on with.
    every = [entry for one in environments if one for entry in entries(one)]
    # The same code may come from a clone here and from a wheel there.
    commits = {one.get("code"): one["git_commit"] for one in every if one.get("git_commit")}
    known: dict[str, dict[str, str]] = {}
    for one in every:
        code = one.get("code")
        commit = commits.get(code)
        told = {"code": f"code {code}" + (f" (commit {commit[:12]})" if commit else "")}
        told |= {name: f"{name} {version}" for name, version in (one.get("packages") or {}).items()}
        if kernels := (one.get("determinism") or {}).get("kernels"):
            told["kernels"] = f"kernels: {kernels}"
        told |= {name: f"{name}={value}" for name, value in users_variables(one).items()}
        if code:
            known.setdefault(digest([code, told], 16), told)
    names = dict.fromkeys(name for told in known.values() for name in told)
    alike = {name for name in names if len({told.get(name) for told in known.values()}) == 1}
    return [
        ", ".join(told.get(name, f"no {name}") for name in names if name not in alike)
        for told in known.values()
    ]
