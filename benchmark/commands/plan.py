"""`tbbench plan`: which cells a run has, how they fall into shards, and a script for Slurm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import examples, open_console
from benchmark.commands.as_json import print_json
from benchmark.commands.run_options import Name, Out, Overrides, Protocol

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench plan quickstart",
        "tbbench plan ablation --shards 16",
        "tbbench plan ablation --shards 16 --sbatch study.sh && sbatch study.sh",
    )
)
def plan(
    name: Name,
    set_: Overrides = None,
    protocol: Protocol = None,
    out: Out = None,
    shards: Annotated[int, typer.Option(min=1, max=999_999, help="Into how many parts.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Every cell, for machines.")] = False,
    sbatch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a Slurm array script, `-` for the output."),
    ] = None,
) -> None:
    """Show the cells of a run without doing any, and how `tbbench run --shard i/N` divides them."""
    from benchmark.atomic import write_text
    from benchmark.config import load_config
    from benchmark.errors import UserError
    from benchmark.plan import plan as plan_cells
    from benchmark.plan_file import read_resolved
    from benchmark.plan_table import planned, tables
    from benchmark.sbatch import Array, script

    if json_ and sbatch is not None:
        raise UserError("--json and --sbatch write different things; choose one")
    config = load_config(name, set_ or [], protocol)
    folder = out or Path("runs") / config.name
    if sbatch is not None:
        array = Array(
            name=config.name,
            source=name,
            overrides=tuple(set_ or []),
            protocol=protocol,
            out=folder,
            shards=shards,
            threads=config.execution.threads,
            gpu=config.execution.device != "cpu",
            directory=Path.cwd(),
        )
        text = script(array)
        if str(sbatch) == "-":
            sys.stdout.write(text)
        else:
            write_text(sbatch, text)
            print(f"{sbatch}: {shards} tasks; start it with: sbatch {sbatch}")
        return
    cells = planned(plan_cells(config, read_resolved(folder)), folder, shards)
    if json_:
        print_json({"name": config.name, "shards": shards, "cells": cells})
        return
    console = open_console(highlight=False)
    for table in tables(config.title, cells, shards):
        console.print(table)
