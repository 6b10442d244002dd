"""`tbbench bundle`: all that a run's claims rest on, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import complete, examples, judging

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench bundle runs/quickstart",
        "tbbench bundle runs/mine --claims mine.toml --out evidence.zip",
    )
)
def bundle(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write. Default: RUN-evidence.zip beside it.")
    ] = None,
    claims: Annotated[
        list[str] | None,
        typer.Option(
            help="A claims file to judge. Default: all that come with the project.",
            autocompletion=complete.claims,
        ),
    ] = None,
) -> None:
    """Pack a run's configuration, raw scores and costs, statistics, verdicts and small pictures.

    Whoever has the file checks it with `tbbench verify FILE`: everything that follows from the raw
    rows is computed again. What no computation can tell, such as the machine's name, the printed
    SHA-256 of the file vouches for: publish it, and check with `--digest`.
    """
    from rich.console import Console

    from benchmark.bundle.pack import pack
    from benchmark.claims.file import load_claims, shipped_names
    from benchmark.store import Run

    opened = Run.open(run)
    target = out or run.parent / f"{run.resolve().name}-evidence.zip"
    files = [load_claims(name) for name in claims or shipped_names()]
    packed = pack(opened, target, files, judging())
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{packed.path}: {packed.size / 1e6:.1f} MB, {packed.pictures} pictures, "
        f"{packed.verdicts} verdicts",
        markup=False,
    )
    for line in packed.cautions:
        console.print(line, markup=False)
    console.print(f"sha256 {packed.digest}", markup=False)
