"""`tbbench verify`: is what was claimed so?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import (
    FAILED,
    READABLE,
    complete,
    examples,
    judging,
    open_console,
    print_table,
)
from benchmark.commands.as_json import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from benchmark.claims.verdict import Verdict

app = typer.Typer()

STYLES = {"SUPPORTED": "green", "REFUTED": "bold red", "INCONCLUSIVE": "yellow"}


@app.command(
    epilog=examples(
        "tbbench verify textboost-v1  # exact counts, without a run",
        "tbbench verify runs/quickstart  # all claims that come with the project",
        "tbbench verify mine.toml runs/a runs/b",
        "tbbench verify quickstart.zip --digest 3f1c...  # what `tbbench bundle` made",
    )
)
def verify(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="CLAIMS|RUN|BUNDLE...",
            help="Claims files (a name or a path), folders of runs, bundles. "
            "Without claims files: all that come with the project.",
            autocompletion=complete.claims,
        ),
    ],
    as_json: AsJson = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on INCONCLUSIVE and NOT MEASURED as well.")
    ] = False,
    digest: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="Of the one bundle, as `tbbench bundle` printed it."),
    ] = None,
) -> None:
    """Judge claims: SUPPORTED, REFUTED, INCONCLUSIVE or NOT MEASURED, each with its evidence.

    A bundle is checked first: checksums, then everything that follows from its raw rows is computed
    again. With a run, the verdicts are kept in its folder as verdicts.json. Exit code 1 when a
    claim is REFUTED or a bundle is not what it says, which then gets no verdict; see
    docs/reference/claims.md.
    """
    from benchmark.claims.judge import judge_all
    from benchmark.claims.targets import open_targets

    targets = open_targets(what, digest)
    for line in (*targets.notes, *targets.differences):
        typer.echo(_printable(line), err=True)
    if targets.differences:
        typer.echo("no verdict is given: a bundle is not what it says", err=True)
        raise typer.Exit(FAILED)
    files = targets.files()
    verdicts = judge_all(files, targets.studies, judging(quiet=as_json))
    try:
        targets.keep(verdicts)
    except OSError as error:
        typer.echo(f"verdicts.json is not written, and reports will not show it: {error}", err=True)
    if as_json:
        print_json([verdict.to_json() for verdict in verdicts])
    else:
        console = open_console(highlight=False)
        print_table(console, _table(verdicts))
        console.print(_count(verdicts), markup=False)
    bad = {"REFUTED", "INCONCLUSIVE", "NOT MEASURED"} if strict else {"REFUTED"}
    if any(verdict.verdict in bad for verdict in verdicts):
        raise typer.Exit(FAILED)


def _table(verdicts: Sequence[Verdict]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from benchmark.claims.units import beside

    table = Table(box=None, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim\n  what is judged\n  evidence", overflow="fold", max_width=READABLE)
    table.add_column("found\n  bound", overflow="fold", max_width=READABLE)
    for verdict in verdicts:
        word = f"{verdict.verdict}\n({verdict.label})" if verdict.label else verdict.verdict
        found = "-"
        if verdict.estimate is not None and verdict.unit is not None:
            found = f"{beside(verdict.estimate, verdict.unit, verdict.bound)} {verdict.kind}"
            if verdict.low is not None and verdict.high is not None and verdict.n is not None:
                ends = (
                    beside(end, verdict.unit, verdict.bound) for end in (verdict.low, verdict.high)
                )
                found += f" [{' to '.join(ends)}], n = {verdict.n}"
        elif verdict.predicted:
            found = f"predicted: {verdict.predicted['shown']}"
        table.add_row(
            Text(word, style=STYLES.get(verdict.verdict, "dim")),
            Text(f"{verdict.claims}: {verdict.id}").append(
                f"\n  {_printable(verdict.expression or verdict.sentence)}"
                f"\n  {_printable(verdict.evidence)}",
                style="dim",
            ),
            Text(found).append(f"\n  {verdict.bound or ''}", style="dim"),
        )
    return table


def _count(verdicts: Sequence[Verdict]) -> str:
    words = ("SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT MEASURED")
    counts = {word: sum(verdict.verdict == word for verdict in verdicts) for word in words}
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _printable(text: str) -> str:
    """Without what would steer a terminal: bundles and claims come from others."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
