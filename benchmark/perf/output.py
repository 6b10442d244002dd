"""A comparison for people (terminal, Markdown) and for machines (JUnit, JSON)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from benchmark.perf.case import COUNTERS
from benchmark.perf.compare import SECONDS, Comparison, Finding
from benchmark.perf.judge import BETTER, NOT_JUDGED, REGRESSION, UNCLEAR

if TYPE_CHECKING:
    from rich.table import Table

HEADER = ("case", "measure", "base", "new", "change", "interval", "verdict")
LOST = "bold red"
STYLES = {REGRESSION: "bold red", BETTER: "green", UNCLEAR: "yellow", NOT_JUDGED: "yellow"}


def shown(comparison: Comparison, everything: bool) -> list[Finding]:
    """What a table lists: all, or the times and whatever else is not the same."""
    return [
        finding
        for finding in comparison.findings
        if everything or finding.measure == SECONDS or finding.verdict in STYLES
    ]


def cells(finding: Finding) -> tuple[str, ...]:
    """The finding in the columns of `HEADER`."""
    ends = ""
    if finding.low is not None and finding.high is not None:
        ends = f"{finding.low:+.1%} to {finding.high:+.1%}"
    change = "" if finding.change is None else f"{finding.change:+.1%}"
    note = f"{finding.verdict}: {finding.note}" if finding.note else finding.verdict
    amounts = (amount(finding.base, finding.unit), amount(finding.new, finding.unit))
    return (finding.case, finding.measure, *amounts, change, ends, note)


def amount(value: float | None, unit: str) -> str:
    """A figure with its unit: 83.1 ms, 41,102,140 B."""
    if value is None:
        return ""
    return f"{1000 * value:.1f} ms" if unit == "s" else f"{value:,.0f} {unit}"


def summary(comparison: Comparison) -> str:
    """Sentences: how many cases were judged, how many of what; regressions and losses by name."""
    count = Counter(finding.verdict for finding in comparison.findings)
    parts = [f"{number} {name}" for name, number in count.items()]
    bad = "; ".join(
        f"{f.case} {f.measure}" + ("" if f.change is None else f" {f.change:+.1%}")
        for f in comparison.regressions
    )
    sentences = [judged(comparison), ", ".join(parts)]
    if bad:
        sentences.append(f"Regressions: {bad}")
    if comparison.lost:
        names = ", ".join(finding.case for finding in comparison.lost)
        sentences.append(f"Lost, and so not known to be any good: {names}")
    if comparison.passes:
        sentences.append("No regression")
    return " ".join(f"{sentence}." for sentence in sentences)


def judged(comparison: Comparison) -> str:
    """Of how many cases anything is known: 18 of 19 cases judged."""
    known = comparison.judged(SECONDS, *COUNTERS)
    words = f"{len(known)} of {len(comparison.cases)} cases judged"
    timed = len(comparison.judged(SECONDS))
    return words if timed == len(known) else f"{words}, {timed} of them by time"


def rich_table(findings: Sequence[Finding], width: int) -> Table:
    """For a terminal of `width` characters: figures stay whole, columns stand in pairs, one above
    the other, where they have no room side by side."""
    from rich.table import Table
    from rich.text import Text

    rows = [HEADER, *map(cells, findings)]
    needed = sum(max(map(len, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
    if needed + len("regression") > width:
        rows = [(*("\n".join(row[n : n + 2]) for n in (0, 2, 4)), row[6]) for row in rows]
    table = Table(box=None, header_style="bold")
    header, *rest = rows
    for name in header:
        figures = name.startswith(("base", "new", "change", "interval"))
        table.add_column(
            name, justify="right" if figures else "left", no_wrap=figures, overflow="fold"
        )
    for finding, (*plain, last) in zip(findings, rest, strict=True):
        style = LOST if finding.lost else STYLES.get(finding.verdict, "")
        table.add_row(*(Text(text) for text in plain), Text(last, style=style))
    return table


def markdown(comparison: Comparison) -> str:
    """For a job's summary: the sentence, the notes, what stands out, and all below a fold."""
    lines = [f"### Performance: {summary(comparison)}", ""]
    lines += [f"- {_escaped(note)}" for note in comparison.notes]
    lines += ["", *_markdown_table(shown(comparison, everything=False)), ""]
    lines += ["<details><summary>Everything that was compared</summary>", ""]
    lines += [*_markdown_table(comparison.findings), "", "</details>", ""]
    return "\n".join(lines)


def _markdown_table(findings: Sequence[Finding]) -> Iterator[str]:
    yield f"| {' | '.join(HEADER)} |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for finding in findings:
        *plain, last = (_escaped(text) for text in cells(finding))
        if finding.verdict == REGRESSION or finding.lost:
            last = f"**{last}**"
        yield f"| {' | '.join([*plain, last])} |"


def _escaped(text: str) -> str:
    """Error messages are anybody's words: no markup, no new cells, one line."""
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("*", "\\*"), ("`", "'")):
        text = text.replace(raw, safe)
    return " ".join(text.split())


def junit(comparison: Comparison) -> bytes:
    """JUnit XML: a test per finding; a lost case is an error, what else was not judged skipped."""
    found = comparison.findings
    suite = ElementTree.Element(
        "testsuite",
        name="tbbench perf",
        tests=str(len(found)),
        failures=str(len(comparison.regressions)),
        errors=str(len(comparison.lost)),
        skipped=str(sum(f.verdict == NOT_JUDGED and not f.lost for f in found)),
    )
    for finding in found:
        seconds = finding.new if finding.measure == SECONDS and finding.new is not None else 0.0
        test = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"perf.{finding.case}",
            name=finding.measure,
            time=f"{seconds:.6f}",
        )
        words = ", ".join(part for part in cells(finding)[2:] if part)
        if finding.verdict == REGRESSION:
            ElementTree.SubElement(test, "failure", message=_printable(words))
        elif finding.lost:
            ElementTree.SubElement(test, "error", message=_printable(words))
        elif finding.verdict == NOT_JUDGED:
            ElementTree.SubElement(test, "skipped", message=_printable(words))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _printable(text: str) -> str:
    """XML has no way to write control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def smaller_is_better(comparison: Comparison) -> list[dict[str, Any]]:
    """github-action-benchmark's `customSmallerIsBetter`: the new file's figures."""
    found = []
    for finding in comparison.findings:
        if finding.new is None:
            continue
        entry: dict[str, Any] = {
            "name": f"{finding.case} {finding.measure}",
            "unit": finding.unit,
            "value": finding.new,
        }
        if finding.low is not None and finding.high is not None and finding.base is not None:
            half = (finding.high - finding.low) / 2 * finding.base
            entry["range"] = f"± {half:.3g}"
        change = "" if finding.change is None else f"{finding.change:+.2%} "
        entry["extra"] = f"{change}{finding.verdict}"
        found.append(entry)
    return found


def worst(comparison: Comparison) -> dict[str, str]:
    """Case -> the verdict of its that one should know first."""
    order = [REGRESSION, NOT_JUDGED, UNCLEAR, BETTER]
    found: dict[str, str] = {}
    for finding in comparison.findings:
        verdicts = {finding.verdict, found.get(finding.case, finding.verdict)}
        found[finding.case] = next((v for v in order if v in verdicts), finding.verdict)
    return found
