"""What is a regression, what is not, and what is not judged at all."""

import pytest

from benchmark.errors import UserError
from benchmark.perf.compare import RUNS, SECONDS, compare, undecided
from benchmark.perf.judge import BETTER, NOT_JUDGED, REGRESSION, SAME, UNCLEAR
from benchmark.perf.rounds import Measured
from benchmark.perf.stored import read
from tests.benchmark.perf.files import MACHINE, entry, times, write


@pytest.fixture
def compared(tmp_path):
    """The comparison of two lists of entries, measured in turn unless told otherwise."""

    def make(base, new, rounds=("r", "r"), base_changes=None, new_changes=None):
        files = [
            write(tmp_path / "base.json", base, rounds[0], **(base_changes or {})),
            write(tmp_path / "new.json", new, rounds[1], **(new_changes or {})),
        ]
        return compare(*map(read, files))

    return make


def verdicts(comparison):
    return {(f.case, f.measure): f.verdict for f in comparison.findings}


def test_a_slower_case_is_named_and_its_neighbour_is_not(compared):
    base = [entry("slow", times(seed=1)), entry("still", times(seed=2))]
    new = [entry("slow", times(0.1, seed=3)), entry("still", times(seed=4))]
    found = compared(base, new)
    assert [(f.case, f.measure) for f in found.regressions] == [("slow", SECONDS)]
    (slow,) = found.regressions
    assert slow.change == pytest.approx(0.1, abs=0.01)
    assert slow.low < slow.change < slow.high
    assert verdicts(found)["still", SECONDS] == SAME
    assert found.notes == []
    assert verdicts(compared(new, base))["slow", SECONDS] == BETTER


@pytest.mark.parametrize(
    ("measure", "before", "after", "expected"),
    [
        ("checkpoint_bytes", 400, 401, REGRESSION),
        ("checkpoint_bytes", 400, 399, BETTER),
        ("flops", 5_000, 4_000, BETTER),
        ("flops", 5_000, 0, REGRESSION),
        ("flops", 5_000, 5_000, SAME),
        ("flops", 5_000, 5_001, REGRESSION),
        ("trainable_parameters", 0, 1, REGRESSION),
        ("peak_live_bytes", 1_000_000, 1_019_000, SAME),
        ("peak_live_bytes", 1_000_000, 1_021_000, REGRESSION),
        ("peak_live_bytes", 1_000_000, 1_050_000, REGRESSION),
        ("peak_live_bytes", 1_000_000, 950_000, BETTER),
        ("peak_python_bytes", 1_000_000, 1_050_000, REGRESSION),
        ("cells", 10_000, 9_999, REGRESSION),
        ("cells", 10_000, 10_000, SAME),
    ],
)
def test_counters_are_compared_exactly_and_peaks_to_two_percent(
    compared, measure, before, after, expected
):
    same = times()
    found = compared(
        [entry("c", same, **{measure: before})], [entry("c", same, **{measure: after})]
    )
    assert verdicts(found)["c", measure] == expected
    assert len(found.regressions) == (expected == REGRESSION)


def test_a_counter_that_the_base_lacks_is_not_judged_and_a_lost_one_is_a_regression(compared):
    less, more = [entry("c", times())], [entry("c", times(), cells=10)]
    found = compared(less, more)
    assert verdicts(found)["c", "cells"] == NOT_JUDGED
    assert found.passes
    (lost,) = compared(more, less).regressions
    assert (lost.measure, lost.base, lost.new, lost.note) == ("cells", 10, None, "missing")


def test_files_from_different_times_are_judged_with_more_care_and_say_so(compared):
    base, new = [entry("c", times(seed=1))], [entry("c", times(0.15, seed=2))]
    found = compared(base, new, rounds=("one", "two"))
    assert verdicts(found)["c", SECONDS] == SAME
    assert "different times" in found.notes[0]
    assert "--against" in found.notes[0]
    much = compared(base, [entry("c", times(0.4, seed=2))], rounds=(None, None))
    assert verdicts(much)["c", SECONDS] == REGRESSION
    some = compared(base, [entry("c", times(0.25, noise=0.1, seed=2))], rounds=("one", "two"))
    assert verdicts(some)["c", SECONDS] == UNCLEAR


def test_times_of_another_machine_are_not_judged_but_counters_are(compared):
    other = {"machine_info": {**MACHINE, "cpu": {"brand_raw": "Another CPU"}}}
    base = [entry("c", times(seed=1))]
    new = [entry("c", times(1.0, seed=2), checkpoint_bytes=500)]
    found = compared(base, new, rounds=("one", "two"), new_changes=other)
    assert verdicts(found)["c", SECONDS] == NOT_JUDGED
    assert [f.measure for f in found.regressions] == ["checkpoint_bytes"]
    assert any("Another CPU" in note for note in found.notes)


@pytest.mark.parametrize(
    ("base", "new", "why"),
    [
        (times(blocks=3), times(1.0, blocks=3), "times of 3 processes, 4 needed"),
        ([[0.1] * 48], [[0.2] * 48], "times of 1 processes, 4 needed"),
        (times(pairs=8), times(1.0, pairs=7), "do not have the same pairs"),
    ],
)
def test_too_few_processes_or_unlike_pairs_are_no_evidence(compared, base, new, why):
    found = compared([entry("c", base)], [entry("c", new)])
    (seconds,) = [f for f in found.findings if f.measure == SECONDS]
    assert seconds.verdict == NOT_JUDGED
    assert why in seconds.note


def test_times_by_another_clock_are_not_judged(compared):
    wall = entry("c", times(1.0), timer="perf_counter")
    found = compared([entry("c", times())], [wall])
    assert verdicts(found)["c", SECONDS] == NOT_JUDGED
    assert verdicts(compared([wall], [wall]))["c", SECONDS] == NOT_JUDGED


def test_a_case_that_no_longer_runs_is_a_regression_unless_it_never_did(compared):
    kept = entry("kept", times())
    broken = {"failed": {"c": "ValueError: no"}}
    found = compared([kept, entry("c", times())], [kept], new_changes=broken)
    assert [(f.case, f.measure, f.note) for f in found.regressions] == [
        ("c", RUNS, "ValueError: no")
    ]
    # As `perf run --against` writes it: neither file of a round has times of such a case.
    in_turn = compared([kept], [kept], new_changes=broken)
    assert [(f.case, f.measure) for f in in_turn.regressions] == [("c", RUNS)]
    apart = compared([kept], [kept], ("one", "two"), new_changes=broken)
    assert verdicts(apart)["c", RUNS] == NOT_JUDGED
    both = compared([kept], [kept], base_changes=broken, new_changes=broken)
    assert verdicts(both)["c", RUNS] == NOT_JUDGED
    assert both.passes


DIED = "its process ended (exit code -9)"


@pytest.mark.parametrize(
    ("suite", "passes"), [(["kept", "c"], False), (None, False), (["kept"], True), ([], True)]
)
def test_a_case_that_only_the_base_fails_is_lost_unless_the_base_never_had_it(
    compared, suite, passes
):
    kept = [entry("kept", times())]
    found = compared(kept, kept, base_changes={"failed": {"c": DIED}, "suite": suite})
    (one,) = [f for f in found.findings if f.case == "c"]
    assert (one.measure, one.verdict, one.note) == (RUNS, NOT_JUDGED, f"base: {DIED}")
    assert found.passes is passes
    assert [f.case for f in found.lost] == ([] if passes else ["c"])
    assert found.regressions == []


def test_nothing_judged_is_no_pass(compared):
    failed = {"failed": {"c": DIED}}
    assert not compared([], [], base_changes=failed, new_changes=failed).passes


def test_a_case_that_the_base_has_and_the_new_file_lacks_is_missing(compared):
    one, two, three = (entry(name, times()) for name in ("a/one", "a/two", "b/three"))
    found = compared([one, two, three], [one])
    assert [(f.case, f.note) for f in found.regressions] == [
        ("a/two", "missing"),
        ("b/three", "missing"),
    ]
    restricted = compared([one, two, three], [one], new_changes={"patterns": ["a/*"]})
    assert [f.case for f in restricted.regressions] == ["a/two"]
    assert compared([one, two, three], [one], new_changes={"patterns": ["a/one"]}).passes


def test_a_case_that_was_taken_out_of_the_suite_is_missing(compared):
    """Of a round the newer suite is asked of both trees: only the suites' own lists tell."""
    one = [entry("a/one", times())]
    suites = {"base_changes": {"suite": ["a/one", "b/two"]}, "new_changes": {"suite": ["a/one"]}}
    assert [f.case for f in compared(one, one, **suites).regressions] == ["b/two"]
    for changes in suites.values():
        changes["patterns"] = ["a/*"]
    assert compared(one, one, **suites).passes


def test_other_libraries_are_named(compared):
    versions = [{"machine_info": {**MACHINE, "packages": {"torch": v}}} for v in ("2.6", "2.14")]
    same = [entry("c", times())]
    found = compared(same, same, base_changes=versions[0], new_changes=versions[1])
    assert any("torch 2.6 -> 2.14" in note for note in found.notes)


def test_cases_of_one_file_alone_are_named(compared):
    one, two = entry("one", times()), entry("two", times())
    assert any("in the base: two" in note for note in compared([one], [one, two]).notes)
    fewer = compared([one, two], [one], new_changes={"patterns": ["one"]})
    assert any("in the new file: two" in note for note in fewer.notes)


def test_files_without_a_common_case_are_refused(compared):
    with pytest.raises(UserError, match="no case in common \\(one; two\\)"):
        compared([entry("one", times())], [entry("two", times())])


def test_only_cases_on_both_sides_of_the_threshold_are_measured_again():
    def measured(change, noise):
        base, new = times(seed=1, noise=noise), times(change, seed=2, noise=noise)
        return Measured([tuple(map(tuple, two)) for two in zip(base, new, strict=True)])

    cases = {
        "still": measured(0.0, 0.005),
        "slower": measured(0.2, 0.005),
        "between": measured(0.04, 0.02),
        "broken": Measured(errors={1: "no"}),
    }
    assert undecided(cases) == ["between"]
