"""`tbbench merge`: several folders of one plan become one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import examples

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench merge node1/ablation node2/ablation --out runs/ablation",
        "tbbench run ablation  # does what is missing",
    )
)
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of one plan.")],
    out: Annotated[Path, typer.Option(help="The folder for all of it: a new one, or begun so.")],
) -> None:
    """Put what was done in several folders, such as one per shard, into one run.

    Every file is checked before and after it is copied. A cell counts as done where any folder has
    it done. The same command goes on where an earlier one stopped.
    """
    from rich.console import Console

    from benchmark.merge import merge as merge_runs

    console = Console(highlight=False, soft_wrap=True)
    merged = merge_runs(runs, out)
    line = f"{out}: {merged.done} of {len(merged.run.planned)} cells done"
    if merged.failed:
        line += f", {merged.failed} failed"
    if merged.missing:
        line += f", {merged.missing} missing"
    console.print(f"{line}; {merged.copied} copied now", markup=False)
    if merged.machines > 1:
        note = f"cells come from {merged.machines} kinds of machine: their times do not compare"
        console.print(note, markup=False)
    if merged.failed or merged.missing:
        console.print(f"tbbench run NAME --out {out} does what is missing", markup=False)
