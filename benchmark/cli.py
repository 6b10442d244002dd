"""`tbbench`, the command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from contextlib import nullcontext
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
    report,
    score,
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
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""
    context.obj = report.Reporting(show=_show, write=_write_report)


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
    live: Annotated[
        bool, typer.Option("--live", help="Rewrite the report's page as cells finish.")
    ] = False,
) -> None:
    """Train, generate and score what is missing of a run, then write its report.

    The same command goes on where an earlier one stopped, and a finished run is not done again.
    """
    from rich.console import Console

    from benchmark.config import load_config
    from benchmark.live import live_page
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
        around = (lambda: live_page(folder, console)) if live else nullcontext
        outcome = run_benchmark(config, folder, console, around)
    except RunInterruptedError as stopped:
        if live:
            _show(folder, console, fresh=True)
        line = f"stopped with {stopped}; the same command goes on from there"
        console.print(line, highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    if live or len(outcome.failures) < len(outcome.run.planned):
        _show(outcome.run.path, console, fresh=live or outcome.changed)
    for label, reason in outcome.failures:
        print(f"failed: {label}: {reason}", file=sys.stderr)
    if outcome.failures:
        print(
            f"{len(outcome.failures)} of {len(outcome.run.planned)} cells failed; "
            "the same command tries them again",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED)


app.add_typer(report.app)
app.add_typer(score.app)
app.add_typer(listing.app)
app.add_typer(doctor.app)
app.add_typer(estimate.app)
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
app.add_typer(perf.app, name="perf")
app.add_typer(verify.app)
app.add_typer(bundle.app)


def _show(path: Path, console: Console, fresh: bool) -> None:
    """Print the comparison table and the path of the page, written anew where `fresh`."""
    from reports.command import show

    show(path, console, fresh)


def _write_report(request: report.Request, console: Console) -> None:
    from reports.command import write

    write(request, console)


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
