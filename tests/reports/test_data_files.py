"""CSV and JSON, read back by csv, pandas and json."""

import csv
import io
import json
import math

import pandas as pd
import pytest

from reports.cells import TEXT, Cell, Head, made, text
from reports.data_files import csv_text, frame_csv, json_text
from reports.format import NOT_MEASURED, plain
from tests.reports.studies import HOSTILE


def table(rows, title="fidelity"):
    return made("main", "A table.", [Head(("method",), TEXT), Head((title,))], rows)


NUMBERS = [
    [text("a"), Cell(-0.123456789, low=-0.2, high=-0.1, rank="best")],
    [text("b"), Cell(math.nan)],
    [text("c"), Cell(3.0)],
]


def test_csv_holds_the_numbers_in_full_and_nothing_where_there_is_none():
    frame = pd.read_csv(io.StringIO(csv_text(table(NUMBERS)))).set_index("method")
    assert list(frame.columns) == ["fidelity", "fidelity low", "fidelity high", "fidelity mark"]
    assert frame.loc["a", "fidelity"] == -0.123456789
    assert frame.loc["a", "fidelity mark"] == "best"
    assert frame.loc["b"].isna().all()
    assert frame.loc["c", "fidelity"] == 3.0
    assert "c,3,,," in csv_text(table(NUMBERS))


def test_csv_tells_measured_from_predicted_and_not_measured():
    rows = [
        [text("a"), Cell(1.5, "B", kind="measured", absent=NOT_MEASURED)],
        [text("b"), Cell(2.5, "B", kind="predicted")],
        [text("c"), Cell(math.nan, "B", absent=NOT_MEASURED)],
        [text("d"), Cell(math.nan, "B")],
    ]
    frame = pd.read_csv(io.StringIO(csv_text(table(rows))), keep_default_na=False)
    assert frame["fidelity kind"].tolist() == ["measured", "predicted", "not measured", ""]
    assert frame["fidelity"].tolist()[2:] == ["", ""]


@pytest.mark.parametrize("start", [*"=+-@", "\t=", "\r@", "\N{FULLWIDTH EQUALS SIGN}", " +"])
def test_no_text_is_a_formula(start):
    written = list(csv.reader(io.StringIO(csv_text(table([[text(f"{start}cmd()"), Cell(1.0)]])))))
    cell = written[1][0]
    assert cell.startswith("'")
    assert cell.endswith("cmd()")


def test_no_title_is_a_formula_and_no_number_is_quoted():
    rows = [[text("-0.5"), Cell(-2.0)], [text("+1e-05"), Cell(1.0)]]
    written = list(csv.reader(io.StringIO(csv_text(table(rows, "=cmd()")))))
    assert written == [["method", "'=cmd()"], ["-0.5", "-2"], ["+1e-05", "1"]]


def test_csv_keeps_hostile_texts_in_their_cells():
    rows = [[text(value), Cell(float(n))] for n, value in enumerate(HOSTILE.values())]
    frame = pd.read_csv(io.StringIO(csv_text(table(rows))))
    assert frame["fidelity"].tolist() == list(range(len(HOSTILE)))
    for read, value in zip(frame["method"], HOSTILE.values(), strict=True):
        assert read.removeprefix("'") == plain(value, limit=None).removeprefix("'")
        assert len(read) >= len(plain(value))


def test_json_holds_everything():
    content = json.loads(json_text(table(NUMBERS)))
    assert content["columns"] == ["method", "fidelity"]
    assert content["rows"][0] == [
        {"value": "a", "text": "a"},
        {
            "value": -0.123456789,
            "text": "-0.123",
            "unit": "score",
            "low": -0.2,
            "high": -0.1,
            "rank": "best",
        },
    ]
    assert content["rows"][1][1]["value"] is None
    assert content["notes"] == ["Bold: best mean."]


def test_json_keeps_hostile_texts_whole_and_has_no_infinity():
    rows = [[text(value), Cell(math.inf)] for value in HOSTILE.values()]
    content = json.loads(json_text(table(rows)))
    assert [row[0]["value"] for row in content["rows"]] == list(HOSTILE.values())
    assert content["rows"][0][1]["value"] is None


def test_a_frames_texts_and_titles_are_harmless_and_its_numbers_whole():
    frame = pd.DataFrame({"=cmd": ["-2+3+cmd|x", "-2"], "b": [-0.1 - 0.2, None]})
    first, second, third = frame_csv(frame).splitlines()
    assert first == "'=cmd,b"
    assert second == f"'-2+3+cmd|x,{-0.1 - 0.2!r}"
    assert third == "-2,"
