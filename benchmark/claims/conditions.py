"""Whether a run was made as the claim supposes: how it trained, and how much of the data it took.

The presets hold a method's own settings. What all methods of a run share stands in [training] and
[prior], and moves costs and scores as well; how many subjects and prompts there are in all, only
the data set knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.claims.study import Study
from benchmark.config import Prior, Training
from benchmark.plan import Cell

COSTLY = ("accumulation", "gradient_checkpointing", "attention")
"""Fields of [training] that move memory and time, and no score beyond rounding."""


def other_training(cells: Sequence[Cell], cost: bool, published: bool) -> str | None:
    """The first shared setting that is not the published one, in words; None when all are.

    Precision is a choice that papers leave open, and the evidence names it. `cost`: a cost is
    claimed, else a score. `published`: prior pictures must be sampled as published too, which the
    runs on the toy backbone do not pretend to.
    """
    usual = Training().model_dump()
    prior = Prior().model_dump()
    for cell in cells:
        for name in COSTLY if cost else ():
            found = cell.compute.get(name, usual[name])
            if found != usual[name]:
                return f"[training] {name} is {_toml(found)} instead of {_toml(usual[name])}"
        if cell.compute.get("optimizer") == "8bit":
            return "[training] optimizer is 8bit, another AdamW than published"
        for name in prior if published else ():
            found = cell.prior.get(name, prior[name])
            if found != prior[name]:
                return f"[prior] {name} is {_toml(found)} instead of {_toml(prior[name])}"
    return None


def prompts_taken(cells: Sequence[Cell], study: Study) -> tuple[int, int] | None:
    """How many of the data set's prompts the subject with the fewest got, and of how many.

    None where the data set is not one of this project's.
    """
    if study.whole is None:
        return None
    taken = []
    for cell in cells:
        whole = study.whole.prompts[cell.live]
        taken.append((len(whole & set(cell.prompts)), len(whole)))
    return min(taken, key=lambda pair: pair[0] / pair[1])


def part_taken(cells: Sequence[Cell], study: Study, subjects: int | None) -> str:
    """`5 of 30 subjects of split n1, 1 of 25 prompts`: of what is planned, where no more is known.

    subjects: those with results.
    """
    planned = len({cell.subject for cell in cells})
    if study.whole is None:
        return f"{subjects} of {planned} subjects"
    left = f" ({planned} planned)" if planned != subjects else ""
    text = f"{subjects} of {study.whole.subjects} subjects of split {study.shared('split')}{left}"
    prompts = prompts_taken(cells, study)
    return f"{text}, {prompts[0]} of {prompts[1]} prompts" if prompts else text


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
