"""`tbbench score`: pictures that were made elsewhere, or what people said in a blind study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import FAILED, INTERRUPTED, complete, examples, open_console
from benchmark.commands.as_json import AsJson, print_json
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.commands.report import Reporting

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench score out/textboost out/dreambooth  # each with seed0/dog/a_dog_in_the_jungle.png",
        "tbbench score --method mine=benchmarks/run7 --split n1-0  # with a name of its own",
        "tbbench score pictures.csv --dataset toyworld  # image, subject, prompt, seed, method",
        "tbbench score samples/blip_diffusion  # DreamBench++: src_image, text, tgt_image",
        "tbbench score runs/quickstart --image-encoders clip-vit-b-32  # a run, scored anew",
        "tbbench score --ab anna.csv ben.csv --key key-fidelity-1a2b3c4d.json  # a blind study",
    )
)
def score(
    context: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Folders of pictures, or manifests."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A folder or manifest and its method's name."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="dreambench or toyworld. Default: a run's own, dreambench.",
            autocompletion=complete.datasets,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which photos trained. Default: a run's own, or n1.",
            autocompletion=complete.splits,
        ),
    ] = None,
    subjects: Annotated[
        str | None,
        typer.Option(
            help="The subjects there should be: dog,can. Default: all.",
            autocompletion=complete.subjects,
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Ids of the prompts there should be. Default: all.",
            autocompletion=complete.prompts,
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="The seeds there should be: 0,1,2. Default: those found.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between them.",
            autocompletion=complete.several(complete.metrics),
        ),
    ] = None,
    image_encoders: Annotated[
        str | None,
        typer.Option(help="The same.", autocompletion=complete.several(complete.image_encoders)),
    ] = None,
    text_encoders: Annotated[
        str | None,
        typer.Option(help="The same.", autocompletion=complete.several(complete.text_encoders)),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new run's folder. Default: runs/score-METHODS.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Score nothing when a picture is missing or unclear.")
    ] = False,
    device: Annotated[
        str,
        typer.Option(
            help="auto, cpu, cuda, cuda:N or mps.",
            autocompletion=complete.words("auto", "cpu", "cuda", "mps"),
        ),
    ] = "auto",
    ab: Annotated[
        bool, typer.Option("--ab", help="Score the answers of a blind study: CSV files, not DIR.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The blind study's key. Only with --ab.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score pictures that were made elsewhere, several methods side by side.

    DIR has one of four layouts: a run's folder; seed0/SUBJECT/PROMPT.png with _ for every space, as
    TextBoost's evaluation writes it; DreamBench++'s src_image, text and tgt_image; or a CSV or
    Parquet manifest with the columns image, subject, prompt (an id or the words), seed and perhaps
    method. A folder's name is its method's. Whatever is missing, unclear or unreadable is listed.

    With --ab, what people answered in a blind study of `tbbench report --ab-study`: how often each
    method was preferred, with intervals, and how far the raters agree.
    """
    if ab:
        from benchmark.commands.score_answers import score_answers

        others = {
            **{"--method": method, "--dataset": dataset, "--split": split, "--subjects": subjects},
            **{"--prompts": prompts, "--seeds": seeds, "--metrics": metrics, "--out": out},
            **{"--image-encoders": image_encoders, "--text-encoders": text_encoders},
            **{"--strict": strict, "--device": device != "auto"},
        }
        score_answers(
            sources or [], key, as_json, [option for option, given in others.items() if given]
        )
        return
    if key is not None:
        raise UserError("--key is for the answers of a blind study; add --ab")

    from benchmark.any_pictures.find import find_pictures
    from benchmark.any_pictures.options import make_request
    from benchmark.any_pictures.problems import listing, refuse_serious
    from benchmark.any_pictures.result import score_found
    from benchmark.collect import states

    request = make_request(
        sources or [],
        method or [],
        dataset=dataset,
        split=split,
        subjects=subjects,
        prompts=prompts,
        seeds=seeds,
        scoring={
            "metrics": metrics,
            "image_encoders": image_encoders,
            "text_encoders": text_encoders,
        },
        out=out,
        device=device,
    )
    found = find_pictures(request)
    for line in listing(found.problems):
        print(line, file=sys.stderr)
    if strict:
        refuse_serious(found.problems)
    failures = []
    if found.batches:
        console = open_console(stderr=as_json)
        try:
            outcome = score_found(found, request, console)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from there", highlight=False)
            raise typer.Exit(INTERRUPTED) from None
        reporting: Reporting = context.find_root().obj
        reporting.show(outcome.run, states(outcome.run), console, outcome.changed, as_json)
        failures = [f"{label}: {reason}" for label, reason in outcome.failures]
    elif as_json:
        print_json({"scores": [], "notes": [], "page": None})
    failures += [f"{name}: none of its pictures could be scored" for name in found.left_out]
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(FAILED)
