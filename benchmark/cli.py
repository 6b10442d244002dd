"""`tbbench`, the command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import (
    FAILED,
    INTERRUPTED,
    USER_MISTAKE,
    bundle,
    cache,
    data,
    doctor,
    estimate,
    listing,
    perf,
    verify,
)
from benchmark.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="tbbench",
    help="Measure TextBoost beside the other ways to teach an image model a subject.",
    epilog="Start with: tbbench run quickstart",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("textboost-bench"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command(
    epilog="Examples:  tbbench run quickstart  |  "
    "tbbench run quickstart --set training.steps=50 --out runs/short  |  "
    "tbbench run mine.toml --set methods.textboost.steps=50"
)
def run(
    name: Annotated[str, typer.Argument(help="A ready run's name or the path of a TOML file.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override one key, such as training.steps=50."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. Default: runs/ and the run's name.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Cells at a time.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="How pictures are made and scored: see `tbbench protocols`.")
    ] = None,
) -> None:
    """Train, generate and score what is missing of a run, then write its report.

    The same command goes on where an earlier one stopped, and a finished run is not done again.
    """
    from rich.console import Console

    from benchmark.config import load_config
    from benchmark.runner import RunInterruptedError, run_benchmark

    overrides = list(set_ or [])
    if workers is not None:
        overrides.append(f"execution.workers={workers}")
    if device is not None:
        overrides.append(f'execution.device="{device}"')
    config = load_config(name, overrides, protocol)
    console = Console()
    folder = out or Path("runs") / config.name
    try:
        outcome = run_benchmark(config, folder, console)
    except RunInterruptedError as stopped:
        line = f"stopped with {stopped}; the same command goes on from there"
        console.print(line, highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    if len(outcome.failures) < len(outcome.run.planned):
        _show(outcome.run.path, console, fresh=outcome.changed)
    for label, reason in outcome.failures:
        print(f"failed: {label}: {reason}", file=sys.stderr)
    if outcome.failures:
        print(
            f"{len(outcome.failures)} of {len(outcome.run.planned)} cells failed; "
            "the same command tries them again",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED)


@app.command(epilog="Example:  tbbench report runs/quickstart")
def report(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write. Default: report/ in the run's folder.")
    ] = None,
) -> None:
    """Write the report of a run again: tables, figures and one HTML page."""
    from rich.console import Console

    from benchmark.collect import collect
    from benchmark.store import Run

    run = Run.open(path)
    if out is not None and (out / "config.toml").is_file():
        raise UserError(f"{out} is a run's folder; give --out another one")
    collect(run)
    _show(path, Console(), fresh=True, out=out)


@app.command(
    epilog="Examples:  tbbench score out/textboost out/dreambooth  "
    "(folders of seed0/SUBJECT/a_dog_in_the_jungle.png; each is a method)  |  "
    "tbbench score --method mine=benchmarks/run7 --split n1-0  (with a name of its own)  |  "
    "tbbench score pictures.csv --dataset toyworld  "
    "(columns image, subject, prompt, seed, method)  |  "
    "tbbench score samples/blip_diffusion  (DreamBench++: src_image, text, tgt_image)  |  "
    "tbbench score runs/quickstart --image-encoders clip-vit-b-32  (a run, scored anew)"
)
def score(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Folders of pictures, or manifests."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A folder or manifest and its method's name."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="dreambench or toyworld. Default: a run's own, dreambench.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which photos trained. Default: a run's own, or n1.")
    ] = None,
    subjects: Annotated[
        str | None, typer.Option(help="The subjects there should be: dog,can. Default: all.")
    ] = None,
    prompts: Annotated[
        str | None, typer.Option(help="Ids of the prompts there should be. Default: all.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="The seeds there should be: 0,1,2. Default: those found.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Names with commas between them.")] = None,
    image_encoders: Annotated[str | None, typer.Option(help="The same.")] = None,
    text_encoders: Annotated[str | None, typer.Option(help="The same.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new run's folder. Default: runs/score-METHODS.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Score nothing when a picture is missing or unclear.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Score pictures that were made elsewhere, several methods side by side.

    DIR has one of four layouts: a run's folder; seed0/SUBJECT/PROMPT.png with _ for every space, as
    TextBoost's evaluation writes it; DreamBench++'s src_image, text and tgt_image; or a CSV or
    Parquet manifest with the columns image, subject, prompt (an id or the words), seed and perhaps
    method. A folder's name is its method's. Whatever is missing, unclear or unreadable is listed.
    """
    from rich.console import Console

    from benchmark.any_pictures.find import find_pictures
    from benchmark.any_pictures.options import make_request
    from benchmark.any_pictures.problems import listing, serious
    from benchmark.any_pictures.result import score_found

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
    left_out = serious(found.problems)
    if strict and left_out:
        raise UserError(
            f"{len(left_out)} problems, listed above; mend them, or leave out --strict to score "
            "what is there"
        )
    failures = []
    if found.batches:
        console = Console()
        try:
            outcome = score_found(found, request, console)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from there", highlight=False)
            raise typer.Exit(INTERRUPTED) from None
        _show(outcome.run.path, console, fresh=outcome.changed)
        failures = [f"{label}: {reason}" for label, reason in outcome.failures]
    failures += [f"{name}: none of its pictures could be scored" for name in found.left_out]
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(FAILED)


app.add_typer(listing.app)
app.add_typer(doctor.app)
app.add_typer(estimate.app)
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
app.add_typer(perf.app, name="perf")
app.add_typer(verify.app)
app.add_typer(bundle.app)


def _show(path: Path, console: Console, fresh: bool, out: Path | None = None) -> None:
    """Print the comparison table and the path of the page, written anew where `fresh`."""
    import reports
    from benchmark.store import Run
    from reports.text import rich_comparison

    run = Run.open(path)
    page = (out or path / "report") / "index.html"
    if fresh or not page.is_file():
        page = reports.render(run, out)
    console.print(rich_comparison(run.results()))
    console.print(f"report: {page}", highlight=False, soft_wrap=True)


def main() -> None:
    """The console command: a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"tbbench: {error}", file=sys.stderr)
        sys.exit(USER_MISTAKE)
    except OSError as error:
        # A full disk, a folder that may not be written: the system's own words name the file.
        print(f"tbbench: {error}", file=sys.stderr)
        sys.exit(USER_MISTAKE)


if __name__ == "__main__":
    main()
