"""The language of claims: what it accepts and means, and how it refuses."""

import itertools
import math
import random

import pytest

from benchmark.claims.language import Arm, Bound, ExpressionError, parse
from benchmark.claims.units import beside, in_base_unit, shown

# Expression -> form, what is measured, methods, backbone, ends of the bound, whether they belong.
GOOD = [
    (
        "trainable_parameters(textboost, sd15) <= 0.7e6",
        ("measure", "trainable_parameters", [("textboost", None)], "sd15", -math.inf, 7e5, True),
    ),
    (
        "checkpoint_bytes(textboost)<=6MB",
        ("measure", "checkpoint_bytes", [("textboost", None)], None, -math.inf, 6_000_000, True),
    ),
    (
        "peak_memory(textboost++) < 7.5 GiB",
        ("measure", "peak_memory", [("textboost++", None)], None, -math.inf, 8_053_063_680, False),
    ),
    (
        "ratio(peak_memory, textboost, dreambooth:paper-no-prior) < 70%",
        (
            "ratio",
            "peak_memory",
            [("textboost", None), ("dreambooth", "paper-no-prior")],
            None,
            -math.inf,
            0.7,
            False,
        ),
    ),
    (
        "difference(CLIP-T, textboost, custom-diffusion) > -0.02",
        (
            "difference",
            "CLIP-T",
            [("textboost", None), ("custom-diffusion", None)],
            None,
            -0.02,
            math.inf,
            False,
        ),
    ),
    (
        "mean(DINO.seen@dino-vits16, base) within 5% of 0.5",
        ("mean", "DINO.seen@dino-vits16", [("base", None)], None, 0.475, 0.525, True),
    ),
    (
        "seconds.prepare(textboost) between 1 and 2 min",
        ("measure", "seconds.prepare", [("textboost", None)], None, 1.0, 120.0, True),
    ),
    (
        "trainable_parameters(textboost) == 663_552",
        ("measure", "trainable_parameters", [("textboost", None)], None, 663552, 663552, True),
    ),
    (
        "predicted(flops_per_step, textboost, sd15, batch=8) >= 1 TFLOPs",
        ("predicted", "flops_per_step", [("textboost", None)], "sd15", 1e12, math.inf, True),
    ),
]


@pytest.mark.parametrize(("text", "meaning"), GOOD, ids=[text for text, _ in GOOD])
def test_what_an_expression_means(text, meaning):
    found = parse(text)
    form, subject, arms, backbone, low, high, closed = meaning
    assert (found.form, found.subject.name, found.backbone) == (form, subject, backbone)
    assert found.arms == tuple(Arm(*arm) for arm in arms)
    assert (found.bound.low, found.bound.high) == pytest.approx((low, high), rel=1e-12)
    assert found.bound.closed == closed


def test_options_are_a_predictions():
    expression = parse("predicted_ratio(peak_memory, textboost, dreambooth, batch=8) < 0.5")
    assert expression.options == {"batch": 8}
    with pytest.raises(ExpressionError, match="ratio takes no options"):
        parse("ratio(peak_memory, textboost, dreambooth, batch=8) < 0.5")


# Expression -> what the error says, and what stands behind the mark.
BAD = [
    ("", "expected a quantity", ""),
    ("   ", "expected a quantity", ""),
    ("seconds", r"expected '\('", ""),
    ("second(textboost) < 3", "unknown quantity 'second'; did you mean 'seconds'", "second("),
    ("seconds(textbost) < 3", "did you mean 'textboost'", "textbost)"),
    ("seconds(textboost < 3", r"expected '\)'", "< 3"),
    ("seconds(textboost)", "expected <, <=", ""),
    ("seconds(textboost) < ", "expected a number", ""),
    ("seconds(textboost) < 3 MB", "'MB' is no unit of seconds", "3 MB"),
    ("seconds(textboost) < 3 parsec", "unknown unit 'parsec'", "3 parsec"),
    ("checkpoint_bytes(textboost) < 3 s", "'s' is no unit of bytes", "3 s"),
    ("checkpoint_bytes(textboost) < 3 Mb", "unknown unit 'Mb'", "3 Mb"),
    ("trainable_parameters(textboost) < 6 MB", "'MB' is no unit of count", "6 MB"),
    ("difference(CLIP-T, textboost, base) > 2%", "'%' is no unit of score", "2%"),
    ("seconds(textboost) == 3", "== is for exact counts", "== 3"),
    ("mean(DINO, textboost) == 0.5", "== is for exact counts", "== 0.5"),
    ("seconds(textboost) < 3 and 4", "expected the end", "and 4"),
    ("seconds(textboost) < 3 + 4", "'\\+' belongs to no expression", "+ 4"),
    ("seconds(textboost) between 4 and 3", "the smaller number first", "3"),
    ("seconds(textboost) between 4", "expected 'and'", ""),
    ("seconds(textboost) within 2 of 3", "a share above 0 with %", "2 of 3"),
    ("seconds(textboost) within 0% of 3", "a share above 0 with %", "0% of 3"),
    ("seconds(textboost) < 1e999", "a finite number", "1e999"),
    ("seconds.lunch(textboost) < 3", "unknown stage 'lunch'", "seconds.lunch"),
    ("checkpoint_bytes.train(textboost) < 3", "belongs to one stage", "checkpoint_bytes.train"),
    ("ratio(seconds, textboost) < 3", "expected ','", ") < 3"),
    ("ratio(CLIP-T, textboost, base) < 3", "unknown measure 'CLIP-T'", "CLIP-T"),
    ("mean(seconds, textboost) < 3", "unknown metric 'seconds'", "seconds, "),
    ("mean(CLIP-T@toy-clip, base) > 0", "write alignment@toy-clip", "CLIP-T@toy-clip"),
    ("mean(DINO@dinov2-vitb14, base) > 0", "write fidelity@dinov2-vitb14", "DINO@"),
    ("mean(CLIP-T.seen, base) > 0", "has no reference photos", "CLIP-T.seen"),
    ("mean(DINO.both, base) > 0", "unknown reference 'both'", "DINO.both"),
    ("mean(DINO@, base) > 0", "an encoder's name", "DINO@"),
    ("seconds(textboost:) < 3", "a preset after ':'", "textboost:)"),
    ("seconds(textboost, sd16) < 3", "unknown backbone 'sd16'", "sd16"),
    ("seconds(textboost, sd15, sd14) < 3", "takes no more names", "sd14"),
    ("predicted(seconds, textboost) < 3", "unknown predicted measure", "seconds"),
    ("predicted(peak_memory, textboost, batch=x) < 3", "wants a whole number", "x)"),
    ("predicted(peak_memory, textboost, speed=3) < 3", "unknown option 'speed'", "speed"),
    ("predicted(peak_memory, textboost, precision=fp8) < 3", "unknown precision 'fp8'", "fp8"),
    ("predicted(peak_memory, base, batch=8, batch=9) < 3", "batch is given twice", "batch=9"),
    ("__import__('os').system('true')", "'_' belongs to no expression", "__import__"),
    ("seconds(textboost) < 3; x", "';' belongs to no expression", "; x"),
    ("(lambda: 3)() < 3", "expected a quantity", "(lambda"),
]


@pytest.mark.parametrize(("text", "says", "behind"), BAD, ids=[text for text, _, _ in BAD])
def test_what_is_refused_is_marked_in_one_line(text, says, behind):
    with pytest.raises(ExpressionError, match=says) as error:
        parse(text)
    line = str(error.value)
    assert "\n" not in line
    assert line.partition(">>>")[2].startswith(behind)
    assert text.endswith(line.partition(">>>")[2])


def test_no_long_expression_is_read():
    with pytest.raises(ExpressionError, match="longer than 400 characters"):
        parse("seconds(" * 1000)


def test_a_damaged_expression_never_breaks_the_parser():
    """Every deletion, doubling and a thousand random swaps: understood or refused, nothing else."""
    draw = random.Random(0)
    refused = 0
    for text, _ in GOOD:
        damaged = [text[:at] + text[at + 1 :] for at in range(len(text))]
        damaged += [text[:at] + text[at] + text[at:] for at in range(len(text))]
        for _ in range(100):
            letters = list(text)
            one, other = draw.sample(range(len(letters)), 2)
            letters[one], letters[other] = letters[other], letters[one]
            damaged.append("".join(letters))
        for broken in damaged:
            try:
                again = parse(broken)
            except ExpressionError:
                refused += 1
            else:
                assert again.bound.low <= again.bound.high
    assert refused > 1000


def test_every_comparison_of_every_value():
    """The bound against Python's own comparisons."""
    numbers = [-1.5, -1, 0, 0.5, 1, 2]
    operators = {
        "<": float.__lt__,
        "<=": float.__le__,
        ">": float.__gt__,
        ">=": float.__ge__,
    }
    for (sign, compare), limit, value in itertools.product(operators.items(), numbers, numbers):
        bound = parse(f"difference(CLIP-T, textboost, base) {sign} {limit}").bound
        assert bound.holds(value) == compare(float(value), float(limit))


@pytest.mark.parametrize(
    ("bound", "interval", "place"),
    [
        (Bound("< 1", high=1, closed=False), (0.2, 0.9), "inside"),
        (Bound("< 1", high=1, closed=False), (0.2, 1.0), "across"),
        (Bound("< 1", high=1, closed=False), (1.0, 1.2), "outside"),
        (Bound("<= 1", high=1), (0.2, 1.0), "inside"),
        (Bound("<= 1", high=1), (1.0, 1.2), "across"),
        (Bound("<= 1", high=1), (1.0, 1.0), "inside"),
        (Bound("> 0", low=0, closed=False), (-0.1, 0.1), "across"),
        (Bound("> 0", low=0, closed=False), (0.0, 0.0), "outside"),
        (Bound("between", low=1, high=2), (0.5, 2.5), "across"),
        (Bound("between", low=1, high=2), (2.1, 2.5), "outside"),
        (Bound("between", low=1, high=2), (0.1, 0.5), "outside"),
        (Bound("between", low=1, high=2), (1.1, 1.9), "inside"),
    ],
)
def test_where_an_interval_lies(bound, interval, place):
    assert bound.place(*interval) == place


@pytest.mark.parametrize(
    ("digits", "suffix", "unit", "value"),
    [
        ("6", "MB", "bytes", 6_000_000),
        ("6", "MiB", "bytes", 6_291_456),
        ("70", "%", "ratio", 0.7),
        ("25.555", "M", "count", 25_555_000),
        ("1.5", "h", "seconds", 5400),
        ("250", "ms", "seconds", 0.25),
        ("23.25", "TFLOPs", "flops", 23.25e12),
        ("0.3", "", "score", 0.3),
    ],
)
def test_units_are_the_float_next_to_what_is_written(digits, suffix, unit, value):
    assert in_base_unit(digits, suffix, unit) == value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (66_512, "bytes", "66.51 kB"),
        (12, "bytes", "12 B"),
        (678_912.0, "count", "678,912"),
        (2.5, "seconds", "2.5 s"),
        (7.2e12, "flops", "7.2 TFLOPs"),
        (0.71234, "ratio", "0.7123"),
    ],
)
def test_values_as_people_read_them(value, unit, text):
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "bound", "text"),
    [
        (14.97e9, "bytes", "within 2% of 13.94 GiB", "13.94 GiB"),
        (76_684_000.0, "bytes", "within 5% of 75 MB", "76.68 MB"),
        (942_577.0, "bytes", "within 5% of 930_816 B", "942,577 B"),
        (942_577.0, "bytes", "<= 1_000_000", "942.6 kB"),
        (678_912.0, "count", "between 0.65M and 0.75M", "0.6789M"),
        (678_912.0, "count", "== 678_912", "678,912"),
        (0.7126, "ratio", ">= 70%", "71.26%"),
        (0.7126, "ratio", "within 5% of 0.7", "0.7126"),
        (90.0, "seconds", "< 2 min", "1.5 min"),
        (0.5, "score", "> 0", "0.5"),
        (2.5, "seconds", None, "2.5 s"),
    ],
)
def test_what_is_found_stands_in_the_unit_of_its_bound(value, unit, bound, text):
    assert beside(value, unit, bound) == text


@pytest.mark.parametrize("number", ["9e999999999 kB", "1e99999999999999999999999999 kB"])
def test_a_number_beyond_all_bounds_is_refused_in_one_line(number):
    """Decimal overflows on the first, and cannot read the second."""
    with pytest.raises(ExpressionError, match="larger than any quantity") as error:
        parse(f"checkpoint_bytes(textboost) < {number}")
    assert "\n" not in str(error.value)
