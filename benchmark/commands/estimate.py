"""`tbbench estimate`: parameters, bytes, FLOPs and peak memory without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import complete, examples, open_console
from benchmark.commands.as_json import AsJson, print_json
from benchmark.errors import UserError

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench estimate --backbone sd15 --batch 8 --precision fp16",
        "tbbench estimate --methods textboost,dreambooth --sweep batch=2,4,8 --out curve.svg",
        "tbbench estimate --backbone sdxl --gpu-memory 24",
        "tbbench estimate --methods textboost:release --attention math --json",
    )
)
def estimate(
    backbone: Annotated[
        str,
        typer.Option(
            help="A backbone's name, or a folder made by diffusers.",
            autocompletion=complete.backbones,
        ),
    ] = "sd15",
    methods: Annotated[
        str,
        typer.Option(
            help="all, or names with commas between: NAME or NAME:PRESET.",
            autocompletion=complete.several(complete.trained),
        ),
    ] = "all",
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pictures a step, class pictures included. Default: the preset's."
        ),
    ] = None,
    resolution: Annotated[
        int | None, typer.Option(help="Side in pixels. Default: what the backbone was made for.")
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="fp32, fp16 or bf16.", autocompletion=complete.words("fp32", "fp16", "bf16")
        ),
    ] = "fp16",
    attention: Annotated[
        str,
        typer.Option(
            help="sdpa (fused) or math (plain).", autocompletion=complete.words("sdpa", "math")
        ),
    ] = "sdpa",
    optimizer: Annotated[
        str,
        typer.Option(
            help="AdamW's variant: fused or foreach.",
            autocompletion=complete.words("fused", "foreach"),
        ),
    ] = "fused",
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Compute the UNet's activations twice.")
    ] = False,
    cached_latents: Annotated[
        bool, typer.Option("--cached-latents", help="No picture goes through the VAE.")
    ] = False,
    sweep: Annotated[
        str | None, typer.Option(metavar="NAME=VALUES", help="Such as batch=1,2,4,8.")
    ] = None,
    gpu_memory: Annotated[
        float | None, typer.Option(metavar="GIB", min=0.0, help="Say which batches fit.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the sweep into an .svg or .png.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict what a training step takes. No GPU, no weights and no download are needed.

    Each method's own code runs on tensors without content. Parameters and bytes are exact, FLOPs
    analytic, memory is predicted: live tensor bytes, without the CUDA context, workspaces and
    fragmentation. docs/how-to/estimate.md says how that is checked.
    """
    from rich.console import Console
    from rich.progress import track

    from benchmark.estimate import ask, show
    from benchmark.estimate.curve import check_format, draw
    from benchmark.estimate.question import Question
    from benchmark.plugins import refuse_taken

    if sweep and gpu_memory is not None:
        raise UserError("--sweep and --gpu-memory: give one of them")
    if out is not None:
        if not sweep:
            raise UserError("--out draws a sweep: add one, such as --sweep batch=1,2,4,8")
        check_format(out)
    if gpu_memory is not None and (batch is not None or checkpointing):
        raise UserError("--gpu-memory tries batches and checkpointing itself: leave them out")
    refuse_taken("backbone", backbone)
    left_out: list[str] = []
    questions = [
        Question(
            method,
            preset,
            backbone,
            batch=batch,
            resolution=resolution,
            precision=precision,
            attention=attention,
            optimizer=optimizer,
            checkpointing=checkpointing,
            cached_latents=cached_latents,
        )
        for method, preset in ask.chosen_methods(methods, left_out)
    ]
    for line in left_out:
        typer.echo(f"tbbench: left out: {line}", err=True)
    console, progress = open_console(highlight=False), Console(stderr=True)
    if gpu_memory is not None:
        steps = track(questions, "predicting", console=progress, transient=True)
        fits = list(ask.fits(steps, gpu_memory * ask.GIB))
        if as_json:
            print_json([ask.fit_as_json(one) for one in fits])
            return
        console.print(show.fit_table(fits, gpu_memory))
        for reason in dict.fromkeys(one.refusal for one in fits if one.refusal):
            console.print(reason, style="dim", markup=False)
        tried = [one for fit in fits for one in (fit.fitting, fit.above) if one]
        if tried:
            line = f"{show.conditions(tried[:1])}; {show.MEMORY_FOOTNOTE}: leave room for these"
            console.print(line.replace(", no checkpointing", ""), style="dim", markup=False)
        return
    name = ""
    if sweep:
        name, values = ask.parse_sweep(sweep)
        questions = ask.swept(questions, name, values)
    found = ask.answers(track(questions, "predicting", console=progress, transient=True))
    if out is not None:
        draw(found, name, out)
    if as_json:
        print_json([ask.as_json(one) for one in found])
        return
    if sweep:
        console.print(show.bars(found, name))
    else:
        console.print(show.table(found))
        console.print()
        console.print(show.split_table(found))
        console.print()
    notes = show.FOOTNOTES[:-1] if sweep else show.FOOTNOTES
    for line in (*show.reasons(found), *notes):
        console.print(line, style="dim", markup=False)
    if out is not None:
        console.print(f"curve: {out}", soft_wrap=True, markup=False)
