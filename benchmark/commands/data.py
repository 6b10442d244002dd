"""`tbbench data`: photos of a data set."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.commands import FAILED, complete, examples, open_console
from benchmark.commands.as_json import AsJson, print_json
from benchmark.errors import UserError

app = typer.Typer(
    help="Get and check the photos of a data set.",
    epilog=examples("tbbench data fetch dreambench", "tbbench data check dreambench"),
    no_args_is_help=True,
)


@app.command(epilog=examples("tbbench data fetch dreambench"))
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="The data set: dreambench.", autocompletion=complete.words("dreambench")
        ),
    ],
) -> None:
    """Download a data set's photos, verified; what is there already is kept."""
    from rich.progress import DownloadColumn, Progress

    from benchmark import dreambench

    _only_dreambench(name)
    with Progress(*Progress.get_default_columns(), DownloadColumn(), transient=True) as bars:
        task = bars.add_task("fetching")
        fetched = dreambench.fetch(
            progress=lambda done, total: bars.update(task, completed=done, total=total)
        )
    kept = f"{fetched.kept} photos in {fetched.root} were there already"
    line = f"{kept}; nothing was fetched"
    if fetched.written:
        line = f"{fetched.written} photos fetched from {fetched.source} into {fetched.root}"
        line += f"; {fetched.kept} were there already" if fetched.kept else ""
    open_console().print(line, markup=False, highlight=False, soft_wrap=True)


@app.command(epilog=examples("tbbench data check dreambench"))
def check(
    name: Annotated[
        str,
        typer.Argument(
            help="The data set: dreambench.", autocompletion=complete.words("dreambench")
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Compare every photo with its recorded checksum; exit code 1 when one is damaged."""

    from benchmark import dreambench

    _only_dreambench(name)
    console = open_console()
    dataset = dreambench.DreamBench()
    problems = dataset.check()
    if as_json:
        print_json({"dataset": name, "folder": dataset.root, "problems": problems})
        raise typer.Exit(FAILED if problems else 0)
    for problem in problems:
        console.print(problem, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(FAILED)
    console.print(f"all photos in {dataset.root} are as recorded", highlight=False, soft_wrap=True)


def _only_dreambench(name: str) -> None:
    if name != "dreambench":
        from benchmark.subjects import unknown

        hint = "; the toy world is drawn and needs no photos" if name == "toyworld" else ""
        raise UserError(unknown("data set with photos", name, ["dreambench"]) + hint)
