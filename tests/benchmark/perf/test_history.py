"""Lines that are appended and read back, and the figure of them."""

import json
import re

import pytest

from benchmark.errors import UserError
from benchmark.perf import history
from benchmark.perf.stored import read
from tests.benchmark.perf.files import entry, write


def stored(folder, day, level, live, machine="Some CPU", name="a"):
    return read(
        write(
            folder / f"{day}.json",
            [entry(name, [[level] * 4], peak_live_bytes=live)],
            datetime=f"2026-01-0{day}T00:00:00",
            machine_info={"cpu": {"brand_raw": machine}, "python_version": "3.11"},
        )
    )


def test_figures_are_shares_of_the_first_on_the_same_machine(tmp_path):
    path = tmp_path / "deep" / "history.jsonl"
    history.append(path, stored(tmp_path, 1, 0.10, 100))
    history.append(path, stored(tmp_path, 2, 0.12, 150))
    history.append(path, stored(tmp_path, 3, 0.40, 150, machine="Slow CPU"))
    history.append(path, stored(tmp_path, 4, 0.05, 100))
    records = history.read(path)
    seconds = history.relative(records, ("seconds",))["a"]
    assert [place for place, _ in seconds] == [1, 2, 3, 4]
    assert [share for _, share in seconds] == pytest.approx([1.0, 1.2, 1.0, 0.5])
    memory = history.relative(records, ("peak_live_bytes", "peak_python_bytes"))["a"]
    assert [share for _, share in memory] == pytest.approx([1.0, 1.5, 1.0, 1.0])


def test_a_measurement_appended_twice_counts_once_with_its_verdict(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, stored(tmp_path, 1, 0.1, 100))
    history.append(path, stored(tmp_path, 1, 0.1, 100), {"a": "regression"})
    assert len(path.read_text().splitlines()) == 2
    (record,) = history.read(path)
    assert record["verdict"] == "regression"
    assert record["seconds"] == 0.1


def test_the_figure_has_a_line_per_case_and_is_the_same_every_time(tmp_path):
    path = tmp_path / "history.jsonl"
    for day in (1, 2, 3):
        history.append(path, stored(tmp_path, day, 0.1 * day, 100))
        history.append(path, stored(tmp_path, day, 0.2, 100, name="b<i>"))
    drawn = history.figure(history.read(path))
    text = drawn.decode()
    assert text.count("<svg") == 1
    assert "b&lt;i&gt;" in text
    assert re.search(r"time of the processor", text)
    assert drawn == history.figure(history.read(path))


def line(**changes):
    """A line of a history, with other fields."""
    record = {"case": "a", "commit": "c", "datetime": "d", "machine": "m", "seconds": 0.1}
    return json.dumps(record | changes) + "\n"


def test_a_name_with_a_separator_of_lines_is_read_back(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, stored(tmp_path, 1, 0.1, 100, machine="Some\u2028CPU"))
    (record,) = history.read(path)
    assert record["machine"] == "Some\u2028CPU, Python 3.11"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .*--history"),
        ("", "is empty"),
        ('{"case": "a"}\n', "line 1 is no measurement .KeyError"),
        ("not json\n", "line 1 is no measurement"),
        ("[1]\n", "line 1 is no measurement"),
        (b"\xff\xfe", "history.jsonl is not UTF-8"),
        (line(peak_live_bytes="x"), 'peak_live_bytes is "x", not a number'),
        (line(peak_python_bytes=None), "peak_python_bytes is null"),
        (line(seconds=float("nan")), "seconds is NaN"),
        (line(seconds="0.1"), 'seconds is "0.1"'),
        (line(seconds=0), "seconds are 0"),
        (line(datetime=5), "datetime is 5, not text"),
    ],
)
def test_something_else_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "history.jsonl"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as refused:
        history.read(path)
    assert "\n" not in str(refused.value)


def test_a_line_with_a_verdict_says_nothing_of_cases_that_were_not_compared(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, stored(tmp_path, 1, 0.1, 100), {"other": "same"})
    assert "verdict" not in json.loads(path.read_text())
