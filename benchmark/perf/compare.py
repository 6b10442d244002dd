"""Two files, case by case and measure by measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from benchmark.errors import UserError
from benchmark.perf.case import COUNTERS
from benchmark.perf.judge import (
    BETTER,
    FEWEST_BLOCKS,
    NOT_JUDGED,
    REGRESSION,
    SAME,
    THRESHOLD,
    UNPAIRED_THRESHOLD,
    paired,
    unpaired,
    verdict,
)
from benchmark.perf.rounds import Measured
from benchmark.perf.stored import CLOCK, Stored, StoredCase

SECONDS = "seconds"
RUNS = "runs"


@dataclass(frozen=True)
class Finding:
    """One measure of one case. Shares are of the base's figure: 0.1 is 10% more."""

    case: str
    measure: str
    """`seconds`, a name of `COUNTERS`, or `runs` where the case failed or is not there."""
    unit: str
    base: float | None
    new: float | None
    verdict: str
    change: float | None = None
    low: float | None = None
    """Ends of the interval; None for what is counted."""
    high: float | None = None
    note: str = ""
    lost: bool = False
    """Whether the gate cannot see a case that it should: nobody knows what has become of it."""


@dataclass(frozen=True)
class Comparison:
    """All findings, and what a reader must know about the whole."""

    base: Stored
    new: Stored
    findings: Sequence[Finding]
    notes: Sequence[str]

    @property
    def regressions(self) -> list[Finding]:
        """The findings whose verdict is a regression."""
        return [finding for finding in self.findings if finding.verdict == REGRESSION]

    @property
    def lost(self) -> list[Finding]:
        """The findings of cases that can no longer be seen."""
        return [finding for finding in self.findings if finding.lost]

    @property
    def cases(self) -> set[str]:
        """All that either file tells of, judged or not."""
        return {finding.case for finding in self.findings} | set(self.new.cases)

    def judged(self, *measures: str) -> set[str]:
        """Cases with a verdict in any of the measures."""
        return {
            finding.case
            for finding in self.findings
            if finding.measure in measures and finding.verdict != NOT_JUDGED
        }

    @property
    def passes(self) -> bool:
        """Nothing has become worse, nothing was lost, and something was judged."""
        judged = self.judged(SECONDS, *COUNTERS)
        return bool(judged) and not self.regressions and not self.lost


def compare(base: Stored, new: Stored) -> Comparison:
    """UserError when the files have no case in common."""
    together = base.round is not None and base.round == new.round
    common = [name for name in new.cases if name in base.cases]
    findings = [*_broken(base, new, together), *_unjudged(base, new)]
    if not common and not findings:
        raise UserError(
            f"{base.path} and {new.path} have no case in common "
            f"({', '.join(base.cases) or 'none'}; {', '.join(new.cases) or 'none'}); measure both "
            "with the same --case"
        )
    findings += [_run(name, REGRESSION, "missing") for name in _gone(base, new)]
    for name in common:
        findings.append(_times(name, base, new, together))
        findings.extend(_counted(name, base.cases[name], new.cases[name]))
    return Comparison(base, new, findings, list(_notes(base, new, together)))


def _run(name: str, verdict_: str, note: str, lost: bool = False) -> Finding:
    return Finding(name, RUNS, "", None, None, verdict_, note=note, lost=lost)


def _broken(base: Stored, new: Stored, together: bool) -> Iterator[Finding]:
    """Cases that fail in the new tree and not in the base. Of one round, neither file has times of
    a case that fails on either side: that the base is silent of it means that it ran there."""
    for name, why in new.failed.items():
        if name in base.cases or (together and name not in base.failed):
            yield _run(name, REGRESSION, why)
        elif name not in base.failed:
            yield _run(name, NOT_JUDGED, f"new: {why}; not measured in the base")


def _unjudged(base: Stored, new: Stored) -> Iterator[Finding]:
    """Cases that fail in the base: lost, unless they fail in the new tree, too, which is then not
    to blame, or the base's own suite does not have them."""
    for name, why in base.failed.items():
        if name in new.failed:
            yield _run(name, NOT_JUDGED, f"base: {why}; new: {new.failed[name]}")
        elif _asked(new, name):
            has = base.suite is None or name in base.suite
            yield _run(name, NOT_JUDGED, f"base: {why}", lost=has)


def _gone(base: Stored, new: Stored) -> list[str]:
    """Cases that the base has and the new file knows nothing of, though it was asked for them."""
    removed = set(base.suite or ()) - set(new.suite) if new.suite is not None else set()
    chosen = {name for name in removed if _asked(base, name)}
    known = new.cases.keys() | new.failed.keys() | base.failed.keys()
    return sorted(name for name in (base.cases.keys() | chosen) - known if _asked(new, name))


def _asked(stored: Stored, name: str) -> bool:
    return not stored.patterns or any(fnmatchcase(name, one) for one in stored.patterns)


def undecided(measured: Mapping[str, Measured]) -> list[str]:
    """Cases of two trees whose interval lies on both sides of the threshold."""
    found = []
    for name, case in measured.items():
        if case.errors or not case.blocks:
            continue
        times = paired([block[0] for block in case.blocks], [block[1] for block in case.blocks])
        if times.low <= THRESHOLD < times.high:
            found.append(name)
    return found


def _times(name: str, base: Stored, new: Stored, together: bool) -> Finding:
    one, two = base.cases[name], new.cases[name]
    about = (name, SECONDS, "s", one.median, two.median)
    why = _why_not(base, new, one, two, together)
    if why:
        return Finding(*about, NOT_JUDGED, two.median / one.median - 1, note=why)
    if together:
        found, threshold = paired(one.blocks, two.blocks), THRESHOLD
    else:
        found, threshold = unpaired(one.blocks, two.blocks), UNPAIRED_THRESHOLD
    return Finding(*about, verdict(found, threshold), found.change, found.low, found.high)


def _why_not(base: Stored, new: Stored, one: StoredCase, two: StoredCase, together: bool) -> str:
    """Why two times cannot be judged; empty when they can."""
    fewest = min(len(one.blocks), len(two.blocks))
    if fewest < FEWEST_BLOCKS:
        return f"times of {fewest} processes, {FEWEST_BLOCKS} needed"
    if one.clock != two.clock or one.clock != CLOCK:
        return f"times by {one.clock or 'no clock'} and {two.clock or 'no clock'}, not by {CLOCK}"
    if base.machine != new.machine:
        return "another machine or Python"
    if together and [len(b) for b in one.blocks] != [len(b) for b in two.blocks]:
        return "the two files of one round do not have the same pairs"
    return ""


def _counted(name: str, base: StoredCase, new: StoredCase) -> Iterator[Finding]:
    for measure, counter in COUNTERS.items():
        before, after = base.counters.get(measure), new.counters.get(measure)
        if before is None and after is None:
            continue
        about = (name, measure, counter.unit, before, after)
        if before is None:
            yield Finding(*about, NOT_JUDGED, note="not measured in the base")
            continue
        if after is None:
            yield Finding(*about, REGRESSION, note="missing")
            continue
        if before and not after:
            yield Finding(*about, REGRESSION, -1.0, note="nothing left: not the same work")
            continue
        change = (after - before) / before if before else float(after > 0)
        if change > counter.tolerance or (counter.fixed and change):
            verdict_ = REGRESSION
        else:
            verdict_ = BETTER if change < -counter.tolerance else SAME
        yield Finding(*about, verdict_, change)


def _notes(base: Stored, new: Stored, together: bool) -> Iterator[str]:
    if not together:
        yield (
            "measured at different times: times are a regression only past "
            f"{UNPAIRED_THRESHOLD:.0%}; `tbbench perf run --against` sees {THRESHOLD:.0%}"
        )
    if base.machine != new.machine:
        yield f"two machines, so times are not judged: {base.machine}; {new.machine}"
    changed = [name for name in new.packages if new.packages[name] != base.packages.get(name)]
    if changed:
        versions = ", ".join(
            f"{name} {base.packages.get(name)} -> {new.packages[name]}" for name in changed
        )
        yield f"other libraries, which may be why a figure changed: {versions}"
    for label, one, other in (("base", base, new), ("new file", new, base)):
        missing = [name for name in other.cases if name not in one.cases]
        if missing:
            yield f"not measured in the {label}: {', '.join(missing)}"
