"""What people and machines are shown of a comparison."""

from xml.etree import ElementTree

import pytest
from rich.console import Console

from benchmark.perf import output
from benchmark.perf.compare import compare
from benchmark.perf.judge import NOT_JUDGED, REGRESSION, SAME
from benchmark.perf.stored import read
from tests.benchmark.perf.files import entry, times, write

EVIL = "ValueError: <script>alert(1)</script> | a *cell*\nof `its` own \x00"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One case slower, one larger, one the same, one broken with hostile words."""
    folder = tmp_path_factory.mktemp("perf")
    names = ("slow", "fat", "still")
    base = [entry(name, times(seed=n)) for n, name in enumerate(names)]
    new = [entry(name, times(seed=9 + n)) for n, name in enumerate(names)]
    new[0] = entry("slow", times(0.2, seed=9))
    new[1] = entry("fat", times(seed=10), peak_live_bytes=1_060_000)
    broken = {"failed": {"broken": EVIL}}
    files = [
        write(folder / "base.json", [*base, entry("broken", times())], "r"),
        write(folder / "new.json", new, "r", **broken),
    ]
    return compare(*map(read, files))


def test_the_terminal_shows_times_and_what_stands_out(found):
    console = Console(width=200, record=True)
    console.print(output.rich_table(output.shown(found, everything=False), console.width))
    text = console.export_text()
    lines = {line.split()[0] + line.split()[1]: line for line in text.splitlines() if line.strip()}
    assert "regression" in lines["slowseconds"]
    assert "1,000,000 B  1,060,000 B   +6.0%" in lines["fatpeak_live_bytes"]
    assert "same" in lines["stillseconds"]
    assert "stillflops" not in lines
    assert len(output.shown(found, everything=True)) == len(found.findings)


def test_a_narrow_terminal_splits_no_figure(found):
    console = Console(width=80, record=True)
    console.print(output.rich_table(output.shown(found, everything=True), console.width))
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for finding in found.findings:
        for words in output.cells(finding)[:6]:
            assert words in text


def test_the_summary_names_each_regression(found):
    sentence = output.summary(found)
    assert "3 regression" in sentence
    for words in ("slow seconds +19.", "fat peak_live_bytes +6.0%", "broken runs"):
        assert words in sentence
    assert "still" not in sentence


def test_markdown_is_one_line_per_finding_and_no_markup_of_others(found):
    text = output.markdown(found)
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("| broken")]
    assert len(rows) == 2
    assert rows[0].replace("\\|", "").count("|") == 8
    assert "**regression:" in rows[0]
    assert "| slow | seconds | " in text


def test_junit_has_a_failure_per_regression(found):
    suite = ElementTree.fromstring(output.junit(found)).find("testsuite")
    assert suite is not None
    tests = {(t.get("classname"), t.get("name")): t for t in suite.iter("testcase")}
    assert len(tests) == len(found.findings) == int(suite.get("tests"))
    failed = {key for key, test in tests.items() if test.find("failure") is not None}
    assert failed == {
        ("perf.slow", "seconds"),
        ("perf.fat", "peak_live_bytes"),
        ("perf.broken", "runs"),
    }
    assert suite.get("failures") == "3"
    assert "<script>" in tests["perf.broken", "runs"].find("failure").get("message")


def test_the_json_is_github_action_benchmarks(found):
    entries = {entry["name"]: entry for entry in output.smaller_is_better(found)}
    slow = entries["slow seconds"]
    assert slow["unit"] == "s"
    assert slow["value"] == pytest.approx(0.12, rel=0.05)
    assert slow["range"].startswith("± 0.00")
    assert slow["extra"].endswith("% regression")
    assert entries["fat peak_live_bytes"]["value"] == 1_060_000
    assert "range" not in entries["fat peak_live_bytes"]
    assert "broken runs" not in entries


def test_a_cases_worst_verdict_comes_first(found):
    verdicts = output.worst(found)
    assert verdicts == {
        "slow": REGRESSION,
        "fat": REGRESSION,
        "still": SAME,
        "broken": REGRESSION,
    }
    assert NOT_JUDGED not in verdicts.values()
