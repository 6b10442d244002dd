"""The language of claims: one quantity compared with one bound. Nothing is ever evaluated.

    claim      = quantity, bound
    quantity   = MEASURE "(" arm ["," BACKBONE] ")"
               | "ratio" "(" MEASURE "," arm "," arm ")"
               | "mean" "(" METRIC "," arm ")"
               | "difference" "(" METRIC "," arm "," arm ")"
               | "predicted" "(" MEASURE "," arm ["," BACKBONE] {"," OPTION "=" VALUE} ")"
               | "predicted_ratio" "(" MEASURE "," arm "," arm {"," OPTION "=" VALUE} ")"
    arm        = METHOD [":" PRESET]
    bound      = ("<" | "<=" | ">" | ">=" | "==") number
               | "between" number "and" number          both ends included
               | "within" number "%" "of" number        the same, around a figure
    number     = ["-"] DIGITS [UNIT]

Units are checked against the quantity: bytes are never compared with seconds. `==` is for exact
counts; two measurements are never equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Literal, NoReturn, TypeVar

from benchmark.claims.measures import MEASURES, PREDICTABLE, Measure, get_measure
from benchmark.claims.metric_names import MetricName, get_metric_name
from benchmark.claims.units import ALL_SUFFIXES, Unit, in_base_unit
from benchmark.estimate.question import OPTIMIZERS
from benchmark.subjects import unknown
from textboost.compute import ATTENTION, PRECISIONS

Form = Literal["measure", "ratio", "mean", "difference", "predicted", "predicted_ratio"]
FUNCTIONS: tuple[Form, ...] = ("ratio", "mean", "difference", "predicted", "predicted_ratio")
WHOLE = ("batch", "resolution")
CHOICES = {
    "precision": PRECISIONS,
    "attention": ATTENTION,
    "optimizer": OPTIMIZERS,
    "checkpointing": ("on", "off"),
}
OPTIONS = (*WHOLE, *CHOICES)
"""What a prediction may be asked for; what is left out is the preset's own, or the default."""

LONGEST = 400
Made = TypeVar("Made")


class ExpressionError(ValueError):
    """What is wrong with an expression, in one line; `>>>` stands before the place."""


@dataclass(frozen=True)
class Arm:
    """A method as it was trained."""

    method: str
    preset: str | None
    """None: the claim's own, or the paper's."""


@dataclass(frozen=True)
class Bound:
    """The values for which a claim holds, in the base unit of its quantity."""

    text: str
    low: float = -inf
    high: float = inf
    closed: bool = True
    """Whether the ends belong to it."""

    def holds(self, value: float) -> bool:
        """Whether one value lies inside."""
        if self.closed:
            return self.low <= value <= self.high
        return self.low < value < self.high

    def place(self, low: float, high: float) -> Literal["inside", "outside", "across"]:
        """Where an interval lies."""
        if self.holds(low) and self.holds(high):
            return "inside"
        beyond = high < self.low or low > self.high
        if not self.closed:
            beyond = high <= self.low or low >= self.high
        return "outside" if beyond else "across"


@dataclass(frozen=True)
class Expression:
    """A claim's expression, understood."""

    text: str
    form: Form
    subject: Measure | MetricName
    """What is measured, or scored."""
    arms: tuple[Arm, ...]
    """One method, or two: the second is what the first is compared with."""
    unit: Unit
    bound: Bound
    backbone: str | None = None
    options: dict[str, str | int] = field(default_factory=dict)


def parse(text: str) -> Expression:
    """The expression; ExpressionError with the place marked when it is none."""
    return _Parser(text).claim()


@dataclass(frozen=True)
class _Token:
    kind: str
    """word, number, mark or end."""
    text: str
    at: int
    suffix: str = ""


_TOKEN = re.compile(
    r"(?P<number>(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)(?:[ ]*(?P<suffix>%|[A-Za-z]+))?"
    r"|(?P<word>[A-Za-z][\w.+@:/-]*)"
    r"|(?P<mark><=|>=|==|[<>=(),-])"
)


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            _fail(text, at, f"{text[at]!r} belongs to no expression")
        end = match.end()
        if match["number"]:
            suffix = match["suffix"] or ""
            # "between 1 and 2": a word after a number need not be its unit.
            if suffix and suffix in ("and", "of"):
                suffix, end = "", match.end("number")
            found.append(_Token("number", match["number"], at, suffix))
        else:
            found.append(_Token("word" if match["word"] else "mark", match[0], at))
        at = end
    return [*found, _Token("end", "", len(text))]


def _fail(text: str, at: int, why: str) -> NoReturn:
    raise ExpressionError(f"{why}, at {text[:at]}>>>{text[at:]}")


class _Parser:
    """Reads one claim from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise ExpressionError(f"longer than {LONGEST} characters: {text[:60]}...")
        self.tokens = _tokens(text)
        self.next = 0

    def claim(self) -> Expression:
        name = self._word("a quantity, such as seconds(textboost)")
        form: Form = "measure"
        for function in FUNCTIONS:
            form = function if name.text == function else form
        if form == "measure" and name.text.partition(".")[0] not in MEASURES:
            self._fail(name, unknown("quantity", name.text, [*FUNCTIONS, *MEASURES]))
        subject: Measure | MetricName
        if form == "measure":
            subject = self._made(name, get_measure)
            self._mark("(")
        else:
            self._mark("(")
            subject = self._subject(form)
            self._mark(",")
        arms = [self._arm()]
        if form in ("ratio", "difference", "predicted_ratio"):
            self._mark(",")
            arms.append(self._arm())
        backbone, options = self._rest(form)
        self._mark(")")
        unit = _unit(form, subject)
        bound = self._bound(unit, isinstance(subject, Measure) and subject.kind == "exact")
        if self._peek().kind != "end":
            self._fail(self._peek(), "expected the end of the expression")
        return Expression(self.text, form, subject, tuple(arms), unit, bound, backbone, options)

    def _subject(self, form: Form) -> Measure | MetricName:
        if form in ("mean", "difference"):
            return self._made(self._word("a metric, such as CLIP-T"), get_metric_name)
        token = self._word("a measure, such as peak_memory")
        measure = self._made(token, get_measure)
        if form != "ratio" and measure.name not in PREDICTABLE:
            self._fail(token, unknown("predicted measure", measure.name, PREDICTABLE))
        return measure

    def _arm(self) -> Arm:
        token = self._word("a method, such as textboost")
        method, colon, preset = token.text.partition(":")
        if method not in _methods():
            self._fail(token, unknown("method", method, _methods()))
        if colon and not preset:
            self._fail(token, "expected a preset after ':'")
        return Arm(method, preset or None)

    def _rest(self, form: Form) -> tuple[str | None, dict[str, str | int]]:
        """What may follow the methods: a backbone, then options of a prediction."""
        backbone: str | None = None
        options: dict[str, str | int] = {}
        while self._peek().text == ",":
            self._mark(",")
            token = self._word("a name")
            if self._peek().text == "=":
                self._option(form, token, options)
            elif form in ("measure", "predicted") and backbone is None and not options:
                backbone = self._made(token, known_backbone)
            else:
                self._fail(token, f"{form} takes no more names")
        return backbone, options

    def _option(self, form: Form, token: _Token, options: dict[str, str | int]) -> None:
        if form not in ("predicted", "predicted_ratio"):
            self._fail(token, f"{form} takes no options; they are a prediction's")
        if token.text in options:
            self._fail(token, f"{token.text} is given twice")
        if token.text not in OPTIONS:
            self._fail(token, unknown("option", token.text, OPTIONS))
        self._mark("=")
        value = self._take()
        if token.text in WHOLE:
            if value.kind != "number" or not value.text.isdigit() or value.suffix:
                self._fail(value, f"{token.text} wants a whole number")
            options[token.text] = int(value.text)
        elif value.text in CHOICES[token.text]:
            options[token.text] = value.text
        else:
            self._fail(value, unknown(token.text, value.text, CHOICES[token.text]))

    def _bound(self, unit: Unit, exact: bool) -> Bound:
        token = self._take()
        words = self.text[token.at :].strip()
        if token.text in ("<", "<="):
            return Bound(words, high=self._number(unit), closed=token.text == "<=")
        if token.text in (">", ">="):
            return Bound(words, low=self._number(unit), closed=token.text == ">=")
        if token.text == "==":
            if not exact:
                self._fail(token, "== is for exact counts; use between, or within 2% of")
            value = self._number(unit)
            return Bound(words, low=value, high=value)
        if token.text == "between":
            low = self._number(unit)
            self._keyword("and")
            at = self._peek()
            high = self._number(unit)
            if high < low:
                self._fail(at, "between wants the smaller number first")
            return Bound(words, low=low, high=high)
        if token.text == "within":
            at = self._peek()
            share = self._number("ratio")
            if at.suffix != "%" or share <= 0:
                self._fail(at, "within wants a share above 0 with %, such as within 2% of 6 MB")
            self._keyword("of")
            middle = self._number(unit)
            return Bound(words, low=middle - abs(middle) * share, high=middle + abs(middle) * share)
        self._fail(token, "expected <, <=, >, >=, ==, between or within")

    def _number(self, unit: Unit) -> float:
        sign = 1.0
        if self._peek().text == "-":
            self._take()
            sign = -1.0
        token = self._take()
        if token.kind != "number":
            self._fail(token, "expected a number")
        if token.suffix and token.suffix not in ALL_SUFFIXES:
            self._fail(token, unknown("unit", token.suffix, sorted(ALL_SUFFIXES)))
        try:
            value = in_base_unit(token.text, token.suffix, unit)
        except ValueError as error:
            self._fail(token, str(error))
        if value == inf:
            self._fail(token, "expected a finite number")
        return sign * value

    def _made(self, token: _Token, make: Callable[[str], Made]) -> Made:
        try:
            return make(token.text)
        except ValueError as error:
            self._fail(token, str(error))

    def _word(self, wanted: str) -> _Token:
        token = self._take()
        if token.kind != "word":
            self._fail(token, f"expected {wanted}")
        return token

    def _mark(self, mark: str) -> None:
        token = self._take()
        if token.text != mark:
            self._fail(token, f"expected {mark!r}")

    def _keyword(self, word: str) -> None:
        token = self._take()
        if token.text != word:
            self._fail(token, f"expected {word!r}")

    def _peek(self) -> _Token:
        return self.tokens[self.next]

    def _take(self) -> _Token:
        token = self.tokens[self.next]
        self.next = min(self.next + 1, len(self.tokens) - 1)
        return token

    def _fail(self, token: _Token, why: str) -> NoReturn:
        _fail(self.text, token.at, why)


def _unit(form: Form, subject: Measure | MetricName) -> Unit:
    if form in ("ratio", "predicted_ratio"):
        return "ratio"
    return subject.unit if isinstance(subject, Measure) else "score"


@cache
def _methods() -> tuple[str, ...]:
    from methods import method_names

    return tuple(method_names())


def known_backbone(name: str) -> str:
    """`name`, when it is a backbone's name, a hub id or a path; ValueError otherwise."""
    from benchmark.backbones import NAMED

    if name not in NAMED and "/" not in name:
        raise ValueError(unknown("backbone", name, list(NAMED)))
    return name
