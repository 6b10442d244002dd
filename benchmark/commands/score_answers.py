"""`tbbench score --ab`: the outcome of a blind study, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benchmark.commands.as_json import print_json
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.ab_study import Agreement


def score_answers(
    files: Sequence[Path], key: Path | None, as_json: bool, others: Sequence[str]
) -> None:
    """Prints win rates, their intervals and agreement.

    UserError without files or key, for options that have no part in it, and for what
    `benchmark.ab_answers` refuses.
    """
    if others:
        raise UserError(f"{others[0]} has no part in scoring answers; leave it out, or --ab")
    if not files:
        raise UserError("--ab: no answers; give the CSV files that raters sent")
    if key is None:
        raise UserError("--ab: give the study's key as --key FILE, written beside its page")

    from benchmark import ab_answers, ab_study

    known = ab_answers.read_key(key)
    answers = ab_study.table(known, ab_answers.read_answers(files, known))
    rates = ab_study.win_rates(answers)
    agreed = ab_study.agreement(answers)
    left = ab_study.left_share(answers)
    if as_json:
        content = {
            "study": known.study,
            "question": known.question,
            "pairs": len(known.pairs),
            "win_rates": rates,
            "agreement": {
                "alpha": agreed.alpha,
                "raters": agreed.raters,
                "pairs": agreed.pairs,
                "note": agreed.note,
            },
            "left_share": left,
        }
        print_json(content)
        return
    answered = answers["pair"].nunique()
    raters = "1 rater" if agreed.raters == 1 else f"{agreed.raters} raters"
    typer.echo(
        f"Question: {known.question}. {len(answers)} answers by {raters} to {answered} of "
        f"{len(known.pairs)} pairs."
    )
    for record in rates:
        typer.echo(_sentence(record))
    typer.echo(_agreement(agreed))
    if left is not None:
        typer.echo(f"The left picture was chosen in {left:.0%} of the answers that chose a side.")


def _sentence(record: dict[str, Any]) -> str:
    """One comparison in a line."""
    span = ""
    if record["low"] is not None:
        span = f" [95% interval {record['low']:.1%} to {record['high']:.1%}]"
    subjects = "1 subject" if record["subjects"] == 1 else f"{record['subjects']} subjects"
    counted = (
        f"{record['wins']} won, {record['losses']} lost, {record['same']} no difference, {subjects}"
    )
    verdict = {None: "", "not told apart": "; not told apart"}.get(
        record["verdict"], f"; {record['verdict']} is preferred"
    )
    note = f"; {record['note']}" if record["note"] else ""
    return (
        f"{record['first']} against {record['second']}: win rate {record['win_rate']:.1%}{span} "
        f"({counted}){verdict}{note}"
    )


def _agreement(agreed: Agreement) -> str:
    if agreed.alpha is None:
        return f"{agreed.note[0].upper()}{agreed.note[1:]}."
    pairs = "1 pair" if agreed.pairs == 1 else f"{agreed.pairs} pairs"
    return f"Agreement: Krippendorff's alpha {agreed.alpha:.2f} over {pairs} with several raters."
