"""`tbbench init`: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import examples
from benchmark.errors import UserError, shown

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench init",
        "tbbench init mine.toml && tbbench run mine.toml --dry-run",
    )
)
def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="The file to write, which must not be there.")
    ] = Path("my-run.toml"),
) -> None:
    """Write a run's configuration with every key there is, what it means and its default.

    The run is called as the file is. It goes as it stands, on the toy world; docs/how-to/run.md.
    """
    from benchmark.config import parse_config
    from benchmark.first_config import first_config

    if file.suffix != ".toml":
        raise UserError(f"{shown(str(file))}: expected a name that ends in .toml")
    text = first_config(file.stem)
    parse_config(text, str(file))  # a file's name may be none for a run
    try:
        opened = file.open("x", encoding="utf-8")
    except FileExistsError:
        raise UserError(f"{file} is there already; give another name, or remove it") from None
    try:
        with opened:
            opened.write(text)
    except BaseException:
        file.unlink(missing_ok=True)  # half a configuration would be in the way of the next try
        raise
    typer.echo(f"written: {file}; what it would take: tbbench run {file} --dry-run")
