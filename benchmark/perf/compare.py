"""Two files, case by case and measure by measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    """`seconds`, a name of `COUNTERS`, or `runs` where the case failed."""
    unit: str
    base: float | None
    new: float | None
    verdict: str
    change: float | None = None
    low: float | None = None
    """Ends of the interval; None for what is counted."""
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """All findings, and what a reader must know about the whole."""

    base: Stored
    new: Stored
    findings: Sequence[Finding]
    notes: Sequence[str]

    @property
    def regressions(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == REGRESSION]


def compare(base: Stored, new: Stored) -> Comparison:
    """UserError when the files have no case in common."""
    together = base.round is not None and base.round == new.round
    common = [name for name in new.cases if name in base.cases]
    broken = {
        name: why for name, why in new.failed.items() if name in base.cases or name in base.failed
    }
    if not common and not broken:
        raise UserError(
            f"{base.path} and {new.path} have no case in common "
            f"({', '.join(base.cases) or 'none'}; {', '.join(new.cases) or 'none'}); measure both "
            "with the same --case"
        )
    findings = []
    for name, why in broken.items():
        # Where the base fails as well, the change is not to blame.
        verdict_ = NOT_JUDGED if name in base.failed else REGRESSION
        findings.append(Finding(name, RUNS, "", None, None, verdict_, note=why))
    for name in common:
        findings.append(_times(name, base, new, together))
        findings.extend(_counted(name, base.cases[name], new.cases[name]))
    return Comparison(base, new, findings, list(_notes(base, new, together)))


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
        if before is None or after is None:
            where = "base" if before is None else "new file"
            yield Finding(*about, NOT_JUDGED, note=f"not measured in the {where}")
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
