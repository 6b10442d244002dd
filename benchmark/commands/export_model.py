"""`tbbench export-model`: a checkpoint with its card, for the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import examples, open_console

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench export-model runs/quickstart --method textboost --subject spotted_dog --out dog",
        "tbbench export-model runs/mine 3f1c --out dog --license openrail  # by its cell's key",
        "tbbench export-model runs/mine --method dreambooth --out dog && hf upload me/my-dog dog",
    )
)
def export_model(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write, new or empty.")],
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="The cell's key or its beginning; or name it by:"),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Whose checkpoint.")] = None,
    preset: Annotated[str | None, typer.Option(help="With which settings.")] = None,
    subject: Annotated[str | None, typer.Option(help="Of which subject.")] = None,
    train_seed: Annotated[int | None, typer.Option(help="With which training seed.")] = None,
    license_: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="ID",
            help="The card's licence, as the Hugging Face Hub spells it. Default: apache-2.0 for "
            "the toy world on the toy backbone, else none.",
        ),
    ] = None,
) -> None:
    """Write a folder for the Hugging Face Hub: one cell's checkpoint with its card.

    The card says how to load it and how it was trained, and its front matter holds the base model,
    the prompt and the scores (model-index). Every file is compared with its checksum. Nothing is
    uploaded; see docs/how-to/hub.md.
    """
    from benchmark.dataset_card import counted
    from benchmark.disk import size_text
    from benchmark.hf_model import Wanted, find_cell
    from benchmark.hf_model import export_model as export
    from benchmark.hub_card import licence, scores
    from benchmark.store import Run

    opened = Run.open(run)
    cell = find_cell(opened, Wanted(key, method, preset, subject, train_seed))
    done = export(opened, cell, out, license_)
    means = scores(done.model.results)
    measured = f"{counted(len(means), 'score')} in the card" if means else "no score was measured"
    lines = [
        f"{out}: {cell.label}, {counted(len(done.files), 'file')}, {size_text(done.bytes)}, "
        f"{measured}"
    ]
    lines += [
        f"the checkpoint's own {name} is left out: {out}/README.md is the card"
        for name in done.replaced
    ]
    if licence(done.model) is None:
        lines.append("the card states no licence; name one with --license")
    lines.append(f"upload it as it is: hf upload OWNER/NAME {out}")
    console = open_console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)
