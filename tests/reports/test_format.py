"""How numbers are written."""

import math

import pytest

from reports import format as show


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (show.number(0.6125), "0.613"),
        (show.number(-0.0312), "-0.031"),
        (show.number(-1e-9), "0.000"),
        (show.short_interval(-1e-9, 0.1, 2), "0.00\N{EN DASH}0.10"),
        (show.signed(0.12), "+0.120"),
        (show.signed(-0.12), "-0.120"),
        (show.with_interval(0.612, 0.55, 0.66), "0.612 [0.550 to 0.660]"),
        (show.short_interval(0.554, 0.661, 2), "0.55\N{EN DASH}0.66"),
        (show.short_interval(9.874, 12.346, 2), "9.9\N{EN DASH}12.3"),
        (show.probability(0.03125), "0.031"),
        (show.probability(0.0002), "<0.001"),
        (show.share(5 / 6), "83%"),
        (show.seconds(0.0834), "83 ms"),
        (show.seconds(4.214), "4.21 s"),
        (show.seconds(59.96), "60 s"),
        (show.seconds(725), "12 min 5 s"),
        (show.seconds(7380), "2 h 3 min"),
        (show.size(512), "512 B"),
        (show.size(33_124), "33.1 kB"),
        (show.size(1.86e9), "1.86 GB"),
        (show.size(999_800), "1 MB"),
        (show.flops(11_600_000_000), "11.6 GFLOPs"),
        (show.count(256), "256"),
        (show.count(865_910_000), "866M"),
        (show.count(3.21e12), "3.21T"),
        (show.estimate(0.123456), "0.1235"),
        (show.estimate(678_912.0), "678,912"),
        (show.brackets(-0.0001, 0.5), "[0.000, 0.500]"),
        (show.brackets(0.00012345, 2e7, "estimate"), "[0.0001234, 20,000,000]"),
        (show.of_unit(-0.0312, "difference"), "-0.031"),
        (show.of_unit(0.25, "share"), "25%"),
        (show.of_unit(0.0312, "p"), "0.031"),
        (show.of_unit(1500, "B"), "1.5 kB"),
        (show.of_unit(1500, "count"), "1.5k"),
    ],
)
def test_texts(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    "write", [show.number, show.signed, show.probability, show.share, show.seconds, show.size]
)
def test_missing_is_a_dash_and_never_zero(write):
    assert write(math.nan) == show.MISSING


def test_without_an_interval_the_value_stands_alone():
    assert show.interval(math.nan, math.nan) == ""
    assert show.with_interval(0.5, math.nan, math.nan) == "0.500"
    assert show.brackets(math.nan, math.nan) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines\tand\x00more", "two lines and more"),
        ("a\u2028b\u2029c", "a b c"),
        ("\u202egpj\u202c.\u2066exe\u2069", "gpj.exe"),
        ("\u05d0\u05d1 dog", "\u05d0\u05d1 dog"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "\N{HORIZONTAL ELLIPSIS}"),
        (None, "None"),
    ],
)
def test_texts_of_others_become_one_short_line(text, expected):
    assert show.plain(text) == expected
    assert show.plain("y" * 999, limit=None) == "y" * 999
