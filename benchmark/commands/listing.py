"""`tbbench methods`, `metrics`, `backbones` and `protocols`: what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.commands import READABLE, complete, examples, open_console
from benchmark.commands.as_json import AsJson, print_json
from benchmark.errors import UserError, plugin_code
from benchmark.plugins import taken

if TYPE_CHECKING:
    from rich.table import Table

    from methods import Method

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench methods",
        "tbbench methods --on sdxl",
        "tbbench methods --json",
    )
)
def methods(
    on: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Count on sd15, sd21-base or sdxl.",
            autocompletion=complete.architectures,
        ),
    ] = "sd15",
    as_json: AsJson = False,
) -> None:
    """List the methods: what each trains, its presets, their parameters and sources.

    Parameters are counted by the methods' own code on the named architecture, without weights.
    """
    from rich.console import Console
    from rich.progress import track

    from benchmark.backbones.architectures import ARCHITECTURES
    from benchmark.parameters import trainable_parameters
    from benchmark.subjects import unknown
    from methods import get_method, method_names

    if on not in ARCHITECTURES:
        raise UserError(unknown("architecture", on, list(ARCHITECTURES)))
    console = open_console()
    known, broken = [], []
    for name in method_names():
        try:
            with plugin_code("method", name):
                known.append(get_method(name))
        except UserError as error:
            broken.append(str(error))
    presets = [(method, preset) for method in known if method.trains for preset in method.presets]
    counts: dict[tuple[str, str], int | None] = {}
    for method, preset in track(presets, "counting", console=Console(stderr=True), transient=True):
        try:
            with plugin_code("method", method.name):
                counts[method.name, preset] = trainable_parameters(method.name, preset, on)
        except UserError as error:
            counts[method.name, preset] = None
            broken.append(str(error))
    if as_json:
        print_json({"parameters_on": on, "methods": [_record(method, counts) for method in known]})
    else:
        console.print(_table(known, counts))
        title = ARCHITECTURES[on].title
        note = "for a subject described in two words, such as a corgi dog"
        console.print(f"Parameters on {title}, {note}.", style="dim", highlight=False)
    _tell_taken("method")
    if broken:
        raise UserError("; ".join(broken))


def _tell_taken(kind: str) -> None:
    """A line for every name that cannot be used, on the error output: the list itself is whole."""
    for line in taken(kind).values():
        typer.echo(f"tbbench: {line}", err=True)


def _record(method: Method, counts: Mapping[tuple[str, str], int | None]) -> dict[str, Any]:
    return {
        "name": method.name,
        "trains": method.trains,
        "changes": method.changes,
        "source": method.source,
        "presets": [
            {
                "name": preset,
                "settings": dict(settings),
                "parameters": counts[method.name, preset] if method.trains else 0,
            }
            for preset, settings in method.presets.items()
        ],
    }


def _table(known: Sequence[Method], counts: Mapping[tuple[str, str], int | None]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("method\n  preset", no_wrap=True)
    table.add_column("\nparameters", no_wrap=True, justify="right")
    table.add_column("trains\nsource")
    for method in known:
        table.add_row(
            f"[bold]{method.name}",
            "",
            method.changes if method.trains else f"control: {method.summary}",
        )
        source = method.source
        for preset in method.presets if method.trains else ():
            count = counts[method.name, preset]
            shown = "not possible" if count is None else f"{count:,}"
            table.add_row(f"  {preset}", shown, f"[dim]{source}")
            source = ""
    return table


@app.command(epilog=examples("tbbench metrics"))
def metrics(as_json: AsJson = False) -> None:
    """List the metrics: what each asks, what it writes, which way is better, and its source."""
    from rich.markup import escape
    from rich.table import Table

    from benchmark import inventory

    console = open_console()
    broken: list[str] = []
    entries = list(inventory.metrics(broken))
    _tell_taken("metric")
    if as_json:
        print_json(entries)
        if broken:
            raise UserError("; ".join(broken))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("metric\n  writes", no_wrap=True)
    table.add_column("\nbetter", no_wrap=True)
    table.add_column("asks\nsource", max_width=READABLE)
    for entry in entries:
        plugin = f" [dim]({escape(entry.plugin)})" if entry.plugin else ""
        table.add_row(f"[bold]{escape(entry.name)}[/]{plugin}", "", escape(entry.what))
        source = entry.source
        for written, better in entry.emits.items():
            shown = "" if better == "reference" else better
            table.add_row(f"  {escape(written)}", shown, f"[dim]{escape(source)}")
            source = ""
        if entry.caveat:
            table.add_row("", "", f"[dim]caution: {escape(entry.caveat)}")
    console.print(table)
    console.print("Without `better`: a yardstick to read beside the others.", style="dim")
    if broken:
        raise UserError("; ".join(broken))


@app.command(
    epilog=examples("tbbench backbones", "tbbench run quickstart --backbone blank-sd15 --dry-run")
)
def backbones(as_json: AsJson = False) -> None:
    """List the backbones that have a name, with their sources. Nothing is downloaded.

    A folder made by diffusers and a hub id, owner/name@commit, are backbones too.
    """
    from rich.markup import escape
    from rich.table import Table

    from benchmark.inventory import backbones as entries

    _tell_taken("backbone")
    if as_json:
        print_json(list(entries()))
        return
    console = open_console()
    table = Table(box=None, pad_edge=False)
    table.add_column("backbone", no_wrap=True)
    table.add_column("pixels", justify="right")
    table.add_column("what it is\nsource", overflow="fold")
    for entry in entries():
        side = "" if entry.resolution is None else str(entry.resolution)
        what = f"{escape(entry.what)}\n[dim]{escape(entry.source)}"
        table.add_row(f"[bold]{escape(entry.name)}", side, what)
    console.print(table)


@app.command(
    epilog=examples(
        "tbbench protocols", "tbbench run ablation --protocol textboost-v2  # under one"
    )
)
def protocols(as_json: AsJson = False) -> None:
    """List the protocols: how each makes and scores pictures, and what is not as published."""

    from benchmark.protocol_table import as_text
    from benchmark.protocols import get_protocol, protocol_names

    if as_json:
        print_json([{"name": name, **get_protocol(name).model_dump()} for name in protocol_names()])
        return
    console = open_console()
    for line in as_text():
        console.print(line, highlight=False)
