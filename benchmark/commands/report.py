"""`tbbench report`: what is asked for. `reports.command` does it; `cli.py` brings both together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.commands import complete, examples, open_console
from benchmark.commands.as_json import AsJson
from benchmark.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.collect import States
    from benchmark.store import Run

FORMATS = ("csv", "latex", "markdown", "html", "json")
QUESTIONS = ("fidelity", "alignment")

app = typer.Typer()


@dataclass(frozen=True)
class BlindStudy:
    """What a blind study is made of."""

    question: str
    """One of `QUESTIONS`."""
    methods: tuple[str, ...]
    """Names or labels; empty for all methods that are no controls."""
    pairs: int
    seed: int
    """Draws the pairs."""


@dataclass(frozen=True)
class Request:
    """One call of `tbbench report`."""

    runs: tuple[Path, ...]
    out: Path | None = None
    """None: `report/` in the run, or a folder beside the first of several."""
    embed: bool = False
    """One file with all pictures in it."""
    watch: bool = False
    beside: int | None = None
    """The process that a watch ends with, if it is part of a run."""
    base: Path | None = None
    """The run that changes are measured from."""
    paper: Path | None = None
    formats: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    naming: Path | None = None
    study: BlindStudy | None = None
    as_json: bool = False
    """The table goes to standard output as JSON, everything else to standard error."""


@dataclass(frozen=True)
class Reporting:
    """What commands ask of the package `reports`, which they may not import.

    `cli.py` makes it the context's object.
    """

    show: Callable[[Run, States, Console, bool, bool], None]
    """Prints a run's table and the page's path; True: writes the page anew first, then: as JSON."""
    write: Callable[[Request, Console], None]


@app.command(
    epilog=examples(
        "tbbench report runs/quickstart",
        "tbbench report runs/mine runs/theirs  # several runs in one report",
        "tbbench report runs/new --diff runs/old",
        "tbbench report runs/mine --json",
        "tbbench report --watch runs/quickstart  # while it runs",
        "tbbench report runs/mine --paper paper/tables --naming names.toml",
        "tbbench report runs/mine --ab-study --ab-question alignment  # for people to judge",
    )
)
def report(
    context: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write. Default: report/ in the run's folder.")
    ] = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="One HTML file that holds the pictures too.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Rewrite the page as cells finish, until all are.")
    ] = False,
    beside: Annotated[int | None, typer.Option(hidden=True)] = None,
    diff: Annotated[
        Path | None, typer.Option(metavar="BASE", help="Show what changed since another run.")
    ] = None,
    paper: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write LaTeX tables and PDF figures.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"Also write tables: {','.join(FORMATS)}.",
            autocompletion=complete.several(lambda: FORMATS),
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns of those tables, in their order.")
    ] = None,
    naming: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML that renames and orders methods.")
    ] = None,
    ab_study: Annotated[
        bool, typer.Option("--ab-study", help="Write a page for a blind study, and its key.")
    ] = False,
    ab_question: Annotated[
        str | None,
        typer.Option(
            help="fidelity or alignment. Default: fidelity.",
            autocompletion=complete.words(*QUESTIONS),
        ),
    ] = None,
    ab_methods: Annotated[
        str | None, typer.Option(metavar="A,B", help="Whose pictures. Default: all methods.")
    ] = None,
    ab_pairs: Annotated[
        int | None, typer.Option(min=1, help="Pairs to judge. Default: 60.")
    ] = None,
    ab_seed: Annotated[int | None, typer.Option(min=0, help="Draws the pairs. Default: 0.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of one run or several: tables, figures and one HTML page.

    Several runs are merged by method; runs that cannot be compared are refused.
    """

    asked = {"question": ab_question, "methods": ab_methods, "pairs": ab_pairs, "seed": ab_seed}
    request = Request(
        runs=tuple(runs),
        out=out,
        embed=embed,
        watch=watch,
        beside=beside,
        base=diff,
        paper=paper,
        formats=_formats(format_),
        columns=None if columns is None else names(columns, "--columns"),
        naming=naming,
        study=_study(ab_study, {name: v for name, v in asked.items() if v is not None}),
        as_json=as_json,
    )
    check(request)
    reporting: Reporting = context.find_root().obj
    reporting.write(request, open_console(stderr=as_json))


def check(request: Request) -> None:
    """UserError for options that do not go together."""
    if request.watch:
        alone = {
            "--diff": request.base,
            "--paper": request.paper,
            "--format": request.formats,
            "--ab-study": request.study,
            "--json": request.as_json,
        }
        for option, given in alone.items():
            if given:
                raise UserError(f"--watch rewrites the page alone; leave out {option}, or --watch")
        if len(request.runs) > 1:
            raise UserError("--watch follows one run; name one, or leave out --watch")
    for option, value in (("--columns", request.columns), ("--naming", request.naming)):
        if value is not None and request.paper is None and not request.formats:
            raise UserError(f"{option} is for the tables of --paper and --format; add one of them")
    if request.study and request.as_json:
        raise UserError("--json is for the table of the report; leave out --ab-study, or --json")
    if request.study and (request.base or request.paper or request.formats or request.embed):
        raise UserError(
            "--ab-study writes the page of the blind study alone; ask for the report apart"
        )


def names(text: str, option: str) -> tuple[str, ...]:
    """The names of a list with commas; UserError when there is none."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise UserError(f"{option} {text!r}: expected names with commas between them")
    return found


def _formats(text: str | None) -> tuple[str, ...]:
    found = () if text is None else names(text, "--format")
    for name in found:
        if name not in FORMATS:
            raise UserError(f"--format {name!r}: expected one of {', '.join(FORMATS)}")
    return found


def _study(wanted: bool, asked: dict[str, Any]) -> BlindStudy | None:
    if not wanted:
        if asked:
            raise UserError(f"--ab-{next(iter(asked))} is for a blind study; add --ab-study")
        return None
    question = asked.get("question", QUESTIONS[0])
    if question not in QUESTIONS:
        raise UserError(f"--ab-question {question!r}: expected one of {', '.join(QUESTIONS)}")
    methods = asked.get("methods")
    return BlindStudy(
        question=question,
        methods=() if methods is None else names(methods, "--ab-methods"),
        pairs=asked.get("pairs", 60),
        seed=asked.get("seed", 0),
    )
