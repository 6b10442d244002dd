"""`tbbench export`: a run's pictures as a dataset for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import examples, open_console

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench export runs/quickstart --out pictures",
        "tbbench export runs/mine --out pictures --license cc-by-4.0",
    )
)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write: new, or an earlier export.")],
    license_: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="ID",
            help="The card's licence, as the Hugging Face Hub spells it. Default: apache-2.0 for "
            "the toy world, else unknown.",
        ),
    ] = None,
) -> None:
    """Write a Hugging Face dataset folder: generated pictures, prompts, scores and a card.

    Photos that methods learned from stay out, and so do pictures of `copy`, which are photos,
    unless the toy world drew them. Cells that failed or are pending are counted in the card. In
    Python: datasets.load_dataset("imagefolder", data_dir="pictures", split="train").
    """
    from rich.progress import MofNCompleteColumn, Progress

    from benchmark.dataset_card import counted, held_back, licence, makers
    from benchmark.disk import size_text
    from benchmark.hf_dataset import export as export_run
    from benchmark.store import Run

    console = open_console(highlight=False, soft_wrap=True)
    opened = Run.open(run)
    bars = Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bars:
        task = bars.add_task("pictures", total=None)
        done = export_run(
            opened,
            out,
            license_,
            lambda number, total: bars.update(task, completed=number, total=total),
        )
    contents = done.contents
    rows, cells = contents.rows, contents.cells
    pictures, subjects = len(rows), rows["subject"].nunique()
    lines = [
        f"{out}: {counted(pictures, 'picture')} of {counted(subjects, 'subject')} by "
        f"{makers(rows)}, {size_text(done.bytes)}"
    ]
    if cells["failed"] or cells["pending"]:
        lines.append(
            f"{cells['done']} of {sum(cells.values())} cells are done; {cells['failed']} failed "
            f"and {cells['pending']} pending ones are not in it"
        )
    if contents.held_back:
        lines.append(held_back(contents))
    if contents.license is None and licence(contents) == "unknown":
        lines.append("the card states no licence; name one with --license")
    for line in lines:
        console.print(line, markup=False)
