"""`tbbench check`: is a run's folder as it was written?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import FAILED, examples
from benchmark.commands.as_json import AsJson, print_json

if TYPE_CHECKING:
    from benchmark.integrity import Checked
    from benchmark.quarantine import Mended

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench check runs/quickstart",
        "tbbench check runs/quickstart --repair  # then `tbbench run` makes anew what was damaged",
        "tbbench check runs/mine --json",
    )
)
def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Move what does not match to RUN/quarantine, for the next run."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify every record, checksum, picture, table and thumbnail of a run's folder.

    Exit code 0 when all of it is as it was written, 1 when anything is not, a line each. Cells
    that a live process works on are named and left out, so a running folder can be checked. Cells
    from before checksums were recorded are called that, not whole. See
    docs/reference/run-directory.md.
    """
    from benchmark.integrity import check_run
    from benchmark.quarantine import repair as mend

    checked = check_run(run)
    mended = mend(run, checked) if repair else []
    if as_json:
        print_json(_content(run, checked, mended))
    else:
        for line in _lines(checked, mended):
            typer.echo("".join(letter if letter.isprintable() else "?" for letter in line))
        typer.echo(f"{run}: {_summary(checked)}")
        if repair and mended:
            typer.echo("`tbbench run` makes anew what is missing now")
    if not checked.whole:
        raise typer.Exit(FAILED)


def _lines(checked: Checked, mended: list[Mended]) -> list[str]:
    done = {one.finding: one.done for one in mended}
    lines = []
    for finding in [*checked.findings, *(f for f in done if f not in checked.findings)]:
        what = f"{finding.file}: {finding.what}"
        lines.append(f"{what}; {done[finding]}" if finding in done else what)
    return lines + [
        f"cells/{key}: running, left out"
        for key, verdict in checked.cells.items()
        if verdict == "running"
    ]


def _summary(checked: Checked) -> str:
    from benchmark.cell_integrity import VERDICTS

    verdicts = list(checked.cells.values())
    counts = [f"{verdicts.count(name)} {name}" for name in VERDICTS if name in verdicts]
    number = len(checked.findings)
    found = "nothing amiss" if not number else f"{number} finding{'s' if number > 1 else ''}"
    cells = "1 cell" if len(verdicts) == 1 else f"{len(verdicts)} cells"
    return f"{cells}: {', '.join(counts) or 'none'}; {found}"


def _content(run: Path, checked: Checked, mended: list[Mended]) -> dict[str, object]:
    done = {one.finding: one.done for one in mended}
    return {
        "run": str(run),
        "whole": checked.whole,
        "cells": dict(checked.cells),
        "findings": [
            {"cell": f.cell, "file": f.file, "what": f.what, "mended": done.get(f)}
            for f in checked.findings
        ],
    }
