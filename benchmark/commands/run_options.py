"""Arguments that commands about a run that is not done yet have in common."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import complete

Name = Annotated[
    str,
    typer.Argument(
        help="A ready run's name or the path of a TOML file.", autocompletion=complete.runs
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one key, such as training.steps=50.",
        autocompletion=complete.overrides,
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        help="How pictures are made and scored: see `tbbench protocols`.",
        autocompletion=complete.protocols,
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="The run's folder. Default: runs/ and the run's name.")
]
