"""`tbbench doctor`: is everything there?"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from benchmark.commands import FAILED, complete, examples
from benchmark.commands.as_json import AsJson, print_json

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench doctor",
        "tbbench doctor quickstart",
        "tbbench doctor mine.toml --protocol strict",
    )
)
def doctor(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A ready run's name or a TOML file. Default: the machine.",
            autocompletion=complete.runs,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for `tbbench run`.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="As for `tbbench run`.", autocompletion=complete.protocols)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look whether this machine, or one run, has what it needs; say what to do where it has not.

    With a run's name everything happens that the run does before its first training, downloads
    included: what is well now will start without the network. Exit code 1 when there is a problem.
    """
    from rich.console import Console
    from rich.text import Text

    from benchmark import doctor as look_at

    if name is None:
        findings = look_at.look()
    else:
        from benchmark.config import load_config
        from benchmark.doctor_run import ready

        findings = ready(load_config(name, list(set_ or []), protocol))
    console = Console(highlight=False, soft_wrap=True)
    styles = {look_at.OK: "green", look_at.NOTE: "yellow", look_at.PROBLEM: "bold red"}
    found = []
    working = console.is_terminal and not as_json
    with console.status("looking; weights may take long") if working else nullcontext():
        for finding in findings:
            found.append(finding)
            if as_json:
                continue
            line = Text(f"{finding.level:>7}", style=styles[finding.level])
            line.append_text(Text(f"  {finding.what}: {finding.found}"))
            if finding.fix:
                line.append_text(Text(f"\n         {finding.fix}", style="dim"))
            console.print(line)
    if as_json:
        print_json(found)
    if any(finding.level == look_at.PROBLEM for finding in found):
        raise typer.Exit(FAILED)
