"""Many questions at once: all methods, a sweep over one option, what fits into a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError, plugin_code
from benchmark.estimate.prediction import predict
from benchmark.estimate.question import KINDS, Prediction, Question, RefusedError
from benchmark.plugins import refuse_taken
from benchmark.subjects import unknown

if TYPE_CHECKING:
    from methods import Method

GIB = 2**30
SWEEPS = ("batch", "resolution")
FITTING_BATCHES = (8, 4, 2, 1)
"""The batches that are tried for a GPU, the largest first."""


@dataclass(frozen=True)
class Refusal:
    """A method that cannot answer the question, and why."""

    question: Question
    reason: str


Answer = Prediction | Refusal


@dataclass(frozen=True)
class Fit:
    """What fits of one method. fitting: the largest batch tried that does, if any does; above:
    the next larger one, which does not, if there is one; refusal: why nothing could be tried."""

    method: str
    preset: str
    checkpointing: bool
    fitting: Prediction | None
    above: Prediction | None
    refusal: str = ""


def chosen_methods(names: str, left_out: list[str] | None = None) -> list[tuple[str, str]]:
    """(method, preset) of "all" or of names with commas between, each NAME or NAME:PRESET.

    "all" are the methods that train, with their paper's preset. A package's that does not load is
    not among them; `left_out` gets a line for it. UserError for an unknown name, for a control and
    for a package's method that does not load.
    """
    from methods import method_names

    if names == "all":
        found = []
        for name in method_names():
            try:
                if _method(name).trains:
                    found.append((name, "paper"))
            except UserError as error:
                if left_out is not None:
                    left_out.append(str(error))
        return found
    chosen = []
    for part in names.split(","):
        name, _, preset = part.strip().partition(":")
        if name not in method_names():
            raise UserError(unknown("method", name, ["all", *method_names()]))
        method = _method(name)
        if not method.trains:
            raise UserError(f"method {name!r} is a control: it trains nothing to predict")
        preset = preset or "paper"
        presets = list(method.presets)
        if preset not in presets:
            raise UserError(unknown("preset", preset, presets, f" of method {name!r}"))
        chosen.append((name, preset))
    return chosen


def _method(name: str) -> Method:
    from methods import get_method

    refuse_taken("method", name)
    with plugin_code("method", name):
        return get_method(name)


def parse_sweep(text: str) -> tuple[str, list[int]]:
    """ "batch=1,2,4,8" as its name and values. UserError for anything else."""
    name, _, values = text.partition("=")
    try:
        numbers = [int(value) for value in values.split(",")]
    except ValueError:
        numbers = []
    if name not in SWEEPS or not numbers or len(set(numbers)) < len(numbers):
        raise UserError(
            f"--sweep {text}: expected batch or resolution with different whole numbers, "
            "such as batch=1,2,4,8"
        )
    return name, numbers


def swept(questions: Sequence[Question], name: str, values: Sequence[int]) -> list[Question]:
    """Each question with each of the values."""
    return [
        replace(question, batch=value) if name == "batch" else replace(question, resolution=value)
        for question in questions
        for value in values
    ]


def answer(question: Question) -> Answer:
    """The prediction, or why the method cannot do that; UserError for a mistake in the question."""
    try:
        return predict(question)
    except RefusedError as error:
        return Refusal(question, str(error))


def answers(questions: Iterable[Question]) -> list[Answer]:
    """All answers; UserError when every one of them is a refusal."""
    found = [answer(question) for question in questions]
    refused = [one.reason for one in found if isinstance(one, Refusal)]
    if refused and len(refused) == len(found):
        raise UserError("; ".join(dict.fromkeys(refused)))
    return found


def fits(
    questions: Iterable[Question], gpu_bytes: float, ask: Callable[[Question], Answer] = answer
) -> Iterator[Fit]:
    """For each question, with and without checkpointing: the largest of `FITTING_BATCHES`.

    Larger batches are tried first, and none is once one has fitted: a smaller one needs less.
    """
    for question in questions:
        for checkpointing in (False, True):
            above: Prediction | None = None
            fitting: Prediction | None = None
            refusal = ""
            for batch in FITTING_BATCHES:
                found = ask(replace(question, batch=batch, checkpointing=checkpointing))
                if isinstance(found, Refusal):
                    refusal = found.reason
                elif found.peak_bytes <= gpu_bytes:
                    fitting = found
                    break
                else:
                    above = found
            if fitting or above:
                refusal = ""
            yield Fit(question.method, question.preset, checkpointing, fitting, above, refusal)


def as_json(found: Answer) -> dict[str, Any]:
    """A prediction with the kinds of its figures, or a refusal: all figures null, and why."""
    if isinstance(found, Prediction):
        return {**asdict(found), "kinds": KINDS}
    question = asdict(found.question)
    del question["settings"]
    return question | dict.fromkeys(KINDS) | {"refused": found.reason}


def fit_as_json(one: Fit) -> dict[str, Any]:
    """What fits, and what the next larger batch would need."""
    return {
        "method": one.method,
        "preset": one.preset,
        "checkpointing": one.checkpointing,
        "largest_batch": one.fitting.batch if one.fitting else None,
        "fitting": as_json(one.fitting) if one.fitting else None,
        "above": as_json(one.above) if one.above else None,
        "refused": one.refusal or None,
    }
