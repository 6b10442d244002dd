"""Sentences that follow from the numbers, and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from benchmark.metrics import caveats
from benchmark.stats import SUBJECTS_FOR_INTERVAL, SUBJECTS_FOR_P
from reports import format as show
from reports.leads import Lead
from reports.naming import PLAIN, Naming
from reports.tables import Column, belongs, best, columns, headline, rivals, values


@dataclass(frozen=True)
class Check:
    """One thing that must hold if the metrics and the controls are sound."""

    claim: str
    held: bool
    numbers: str


LISTED = 3
"""Methods, or scores, that a sentence names one by one; more are counted."""


def in_short(
    found: Mapping[Column, Lead], table: pd.DataFrame, naming: Naming = PLAIN
) -> str | None:
    """One plain sentence: which method is clearly best, if any. None where `verdict` is.

    Clearly best in a score is a method that is told apart from every other one.
    """
    shown = [found[column] for column in headline(table) if column in found]
    if not shown:
        return None
    subjects = _range([lead.first.subjects for lead in shown], "subject")
    scores = "the headline score" if len(shown) == 1 else f"{len(shown)} headline scores"
    if not any(lead.judged for lead in shown):
        are = "is" if subjects == "1 subject" else "are"
        return f"No method can be called best: {subjects} {are} too few."
    wins = Counter(lead.first.label for lead in shown if lead.judged and not lead.tied)
    if not wins:
        return f"No method is clearly best in {scores}, over {subjects}."
    where = {
        label: f"all {scores}" if count == len(shown) > 1 else f"{count} of {scores}"
        for label, count in wins.items()
    }
    if len(shown) == 1:
        where = dict.fromkeys(wins, scores)
    told = _list([f"{_shown(label, naming)} is clearly best in {where[label]}" for label in wins])
    return f"{told}, over {subjects}."


def verdict(
    found: Mapping[Column, Lead], table: pd.DataFrame, naming: Naming = PLAIN
) -> tuple[str, str] | None:
    """Two sentences: who is ahead in the headline and by how much, and whether that is sure.

    `found` are the leads of `table`, a summary, its labels not yet renamed. None where nothing can
    be won: with fewer than two methods that were scored on the same subjects.
    """
    shown = [found[column] for column in headline(table) if column in found]
    if not shown:
        return None
    return f"{_ahead(shown, naming)}.", f"{_sure(shown, naming)}{_left_out(table, shown, naming)}."


def _ahead(shown: list[Lead], naming: Naming) -> str:
    """Who has the best mean where, by how much over the second best, over how many subjects."""
    subjects = _range([lead.first.subjects for lead in shown], "subject")
    methods = _range([len(lead.rivals) + 1 for lead in shown], "method")
    where = "the one headline score" if len(shown) == 1 else f"all {len(shown)} headline scores"
    firsts = {lead.first.label for lead in shown if lead.second.lead > 0}
    margins = [_margin(lead, naming) for lead in shown[:LISTED]]
    more = len(shown) - len(margins)
    listed = _list([*margins, *([f"in {_count(more, 'more score')}"] if more else [])])
    if len(firsts) == 1 and all(lead.second.lead > 0 for lead in shown):
        ahead = f"{_shown(min(firsts), naming)} has the best mean of {methods} in {where}"
        return f"{ahead}: {listed} ({subjects})"
    alone = [
        part if lead.second.lead == 0 else f"{_shown(lead.first.label, naming)} leads {part}"
        for lead, part in zip(shown, margins, strict=False)
    ]
    listed = _list([*alone, *([f"{_count(more, 'more score')} not named here"] if more else [])])
    return f"No one of {methods} has the best mean in {where}: {listed} ({subjects})"


def _margin(lead: Lead, naming: Naming) -> str:
    """`by 0.120 [0.050 to 0.190] over dreambooth in alignment (clip-vit-b-32)`."""
    second = _shown(lead.second.score.label, naming)
    if lead.second.lead == 0:
        first = _shown(lead.first.label, naming)
        # Their means may be over other pictures, of which they do not have the same.
        alike = lead.first.mean == lead.second.score.mean
        at = f"at {show.number(lead.first.mean)}" if alike else "over the pictures that both have"
        return f"{first} and {second} are level {at} in {_name(lead.column)}"
    by = show.with_interval(lead.second.lead, lead.second.low, lead.second.high)
    return f"by {by} over {second} in {_name(lead.column)}"


def _sure(shown: list[Lead], naming: Naming) -> str:
    """Whether the leads are told from chance, and where they are not."""
    few = [lead for lead in shown if not lead.judged]
    if not few:
        return _told_apart(shown, "", naming)
    fewest = min(lead.second.subjects for lead in few)
    needs = f"a p-value needs {SUBJECTS_FOR_P}"
    if fewest < SUBJECTS_FOR_INTERVAL:
        needs = f"an interval needs {SUBJECTS_FOR_INTERVAL} subjects, {needs}"
    judged = [lead for lead in shown if lead.judged]
    if not judged:
        which = "this" if len(shown) == 1 else "any of this"
        return f"{_count(fewest, 'subject')} cannot tell {which} from chance: {needs}"
    which = _few([f"the lead in {_name(lead.column)}" for lead in few])
    cannot = f"{_count(fewest, 'subject')} cannot tell {which} from chance: {needs}"
    return f"{_told_apart(judged, ' with subjects enough', naming)}; {cannot}"


def _told_apart(shown: list[Lead], which: str, naming: Naming) -> str:
    """In which of these scores the best is told apart from every other, and from whom it is not."""
    holds = [lead for lead in shown if not lead.tied]
    number = shown[0].comparisons
    rule = (
        "paired by subject: 95% interval without 0, and p below 0.05 after Holm's correction for "
        f"{_count(number, 'comparison')}"
    )
    counted = f"in {len(holds) or 'none'} of {len(shown)} headline scores{which}"
    is_ = "is"
    if len(shown) == 1:
        is_, counted = "is" if holds else "is not", f"in the one headline score{which}"
    sentence = f"The best method {is_} told apart from every other {counted} ({rule})"
    open_ = [lead for lead in shown if lead.tied]
    parts = [
        f"in {_name(lead.column)} {_shown(lead.first.label, naming)} is not told apart from "
        + _few([_shown(score.label, naming) for score in lead.tied])
        for lead in open_[:LISTED]
    ]
    if len(open_) > LISTED:
        parts.append(f"and so in {_count(len(open_) - LISTED, 'more score')}")
    return "; ".join([sentence, *parts])


def _left_out(table: pd.DataFrame, shown: list[Lead], naming: Naming) -> str:
    """Names the methods that no lead covers for want of subjects."""
    methods = table.loc[table["kind"] == "method", "label"].unique()
    ranked = {lead.first.label for lead in shown}
    ranked |= {rival.score.label for lead in shown for rival in lead.rivals}
    lacking = [_shown(label, naming) for label in methods if label not in ranked]
    return f"; left out for want of subjects: {_few(lacking)}" if lacking else ""


def _shown(label: str, naming: Naming) -> str:
    return show.plain(naming.name(label))


def _few(names: list[str]) -> str:
    """All names, or the first ones and how many more there are."""
    if len(names) <= LISTED + 1:
        return _list(names)
    return _list([*names[:LISTED], f"{len(names) - LISTED} more"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _range(numbers: list[int], noun: str) -> str:
    """`30 subjects`, or `28 to 30 subjects`."""
    least, most = min(numbers), max(numbers)
    return _count(most, noun) if least == most else f"{least} to {_count(most, noun)}"


def verdicts(table: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """What a summary says in the headline columns, one sentence or two per column."""
    return [
        f"{leader} {against}".strip()
        for column in headline(table)
        if (leader := _leader(table, column))
        for against in [_against_base(differences, column)]
    ]


def cautions(table: pd.DataFrame) -> list[str]:
    """What a reader must know before comparing rows in the headline."""
    found = []
    scored = table[table["kind"] != "real photos"]
    subjects = scored.groupby("label", sort=False)["subjects"].max()
    most = subjects.max() if len(subjects) else 0
    for label, n in subjects[subjects < most].items():
        found.append(
            f"{label} was scored on {n} of {most} subjects: its means are over fewer subjects than "
            "those of the rest, so it is neither ranked with them nor marked as best."
        )
    for label in _on_others(table):
        if subjects[label] == most:
            found.append(
                f"{label} was scored on other subjects than the rest, though on as many: it is "
                "neither ranked with them nor marked as best."
            )
    headlined = {column.metric for column in headline(table)}
    notes = {*(note for note in scored["note"] if note), *_warnings(scored, headlined)}
    return found + _sentences(notes)


def metric_cautions(table: pd.DataFrame) -> list[str]:
    """What a reader must know of the metrics that the headline does not have."""
    others = set(table["metric"]) - {column.metric for column in headline(table)}
    return _sentences(_warnings(table, others))


def _warnings(table: pd.DataFrame, metrics: set[str]) -> set[str]:
    """The warnings that come with those of the metrics that the table has."""
    known = caveats()
    return {known[metric] for metric in metrics & set(table["metric"]) if metric in known}


def _sentences(notes: set[str]) -> list[str]:
    return sorted(f"{note[0].upper()}{note[1:]}." for note in notes)


def _on_others(table: pd.DataFrame) -> list[str]:
    """Methods that a headline column has scores of, on other subjects than its `rivals`."""
    others: dict[str, None] = {}
    for column in headline(table):
        ranked = {score.label for score in rivals(table, column)}
        for label, score in values(table, column).items():
            if score.kind == "method" and label not in ranked:
                others[label] = None
    return list(others)


def control_checks(table: pd.DataFrame) -> list[Check]:
    """The ranks that controls must take by what they are, for every pair of encoders in use.

    A check whose methods or scores are not there is left out.
    """
    checks: list[Check] = []
    for column in columns(table):
        if column.metric == "fidelity" and column.reference == "unseen":
            checks += _above(table, column, "oracle", "base")
            for label in table.loc[table["kind"] == "method", "label"].unique():
                checks += _above(table, column, label, "base")
        if column.metric == "fidelity" and column.reference == "seen":
            checks += _highest(table, column, "copy")
        if column.metric == "alignment":
            checks += _above(table, column, "oracle", "copy")
            checks += _above(table, column, "base", "copy")
    return checks


def _leader(table: pd.DataFrame, column: Column) -> str:
    """Who is ahead in a column, and how sure that is."""
    found = values(table, column)
    winners = best(table, column)
    if len(winners) != 1:
        return ""
    top = found[winners[0]]
    competing = rivals(table, column)
    span = show.interval(top.low, top.high)
    uncertainty = f"95% interval {span}, " if span else ""
    word = "highest" if column.better == "higher" else "lowest"
    sentence = (
        f"{_name(column)}: {top.label} is {word} of {len(competing)} methods at "
        f"{show.number(top.mean)} ({uncertainty}{_count(top.subjects, 'subject')})"
    )
    overlapping = [
        score.label
        for score in competing
        if score != top and score.high >= top.low and score.low <= top.high
    ]
    if overlapping:
        sentence += f"; its interval overlaps that of {_list(overlapping)}"
    beside = [
        f"{score.label} {show.number(score.mean)}"
        for score in found.values()
        if score.kind != "method"
    ]
    return f"{sentence}. Beside it: {', '.join(beside)}." if beside else f"{sentence}."


def _against_base(differences: pd.DataFrame, column: Column) -> str:
    """How many methods differ from the untouched backbone beyond their interval."""
    if differences.empty:
        return ""
    rows = differences[belongs(differences, column)]
    if rows.empty or rows["verdict"].isna().any():
        return ""
    above, below = (int((rows["verdict"] == word).sum()) for word in ("above", "below"))
    alone = (int((rows["low"] > 0).sum()), int((rows["high"] < 0).sum()))
    sentence = (
        f"Paired with base by subject, {above} of {len(rows)} methods lie above it and {below} "
        f"below it (95% interval without 0, and p below 0.05 after correction for "
        f"{len(differences)} comparisons)"
    )
    if alone != (above, below):
        sentence += f"; by the interval alone, {alone[0]} lie above it and {alone[1]} below it"
    return f"{sentence}."


def _above(table: pd.DataFrame, column: Column, upper: str, lower: str) -> list[Check]:
    found = values(table, column)
    if upper not in found or lower not in found:
        return []
    high, low = found[upper].mean, found[lower].mean
    numbers = f"{show.number(high)} against {show.number(low)}"
    return [Check(f"{upper} above {lower} in {_name(column)}", high > low, numbers)]


def _highest(table: pd.DataFrame, column: Column, label: str) -> list[Check]:
    found = {
        name: score.mean
        for name, score in values(table, column).items()
        if score.kind != "real photos"
    }
    own = found.pop(label, None)
    if own is None or not found:
        return []
    second = max(found, key=lambda name: found[name])
    numbers = f"{show.number(own)}; next {second} {show.number(found[second])}"
    return [Check(f"{label} highest of all in {_name(column)}", own > found[second], numbers)]


def _name(column: Column) -> str:
    return show.plain(f"{column.name} ({column.encoder})")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
