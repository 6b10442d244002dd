"""`tbbench`, the command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import inspect
import io
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import (
    USER_MISTAKE,
    bundle,
    cache,
    check,
    data,
    doctor,
    estimate,
    export,
    export_model,
    init,
    listing,
    merge,
    perf,
    plan,
    report,
    run,
    schema,
    score,
    verify,
)
from benchmark.errors import UserError, in_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.collect import States
    from benchmark.store import Run

app = typer.Typer(
    name="tbbench",
    help="Measure TextBoost beside the other ways to teach an image model a subject.",
    epilog="Start with: tbbench run quickstart",
    no_args_is_help=True,
    add_completion=True,
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


app.add_typer(init.app)
app.add_typer(run.app)
app.add_typer(plan.app)
app.add_typer(merge.app)
app.add_typer(report.app)
app.add_typer(score.app)
app.add_typer(listing.app)
app.add_typer(schema.app)
app.add_typer(doctor.app)
app.add_typer(estimate.app)
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
app.add_typer(perf.app, name="perf")
app.add_typer(verify.app)
app.add_typer(bundle.app)
app.add_typer(export.app)
app.add_typer(export_model.app)
app.add_typer(check.app)


def _flow(group: typer.Typer) -> None:
    """Lets every paragraph of a command's help fill the terminal, which Typer does to the first."""
    for command in group.registered_commands:
        paragraphs = inspect.cleandoc((command.callback and command.callback.__doc__) or "")
        command.help = "\n\n".join(" ".join(part.split()) for part in paragraphs.split("\n\n"))
    for below in group.registered_groups:
        if below.typer_instance is not None:
            _flow(below.typer_instance)


_flow(app)


def _show(run: Run, states: States, console: Console, fresh: bool, as_json: bool) -> None:
    """Print the comparison table and the path of the page, written anew where `fresh`."""
    from reports.command import show

    show(run, states, console, fresh, as_json)


def _write_report(request: report.Request, console: Console) -> None:
    from reports.command import write

    write(request, console)


def main() -> None:
    """The console command: a user's mistake is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that is not UTF-8 has no arrow; that is no reason to stop a run.
            stream.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as end:
        # Typer ends silently on Ctrl-C; a command that has said how to go on raises it "from None".
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):
            print("tbbench: stopped", file=sys.stderr)
        raise
    except UserError as error:
        print(f"tbbench: {error}", file=sys.stderr)
        sys.exit(USER_MISTAKE)
    except OSError as error:
        # A full disk, a folder that may not be written.
        print(f"tbbench: {in_one_line(error)}", file=sys.stderr)
        sys.exit(USER_MISTAKE)


if __name__ == "__main__":
    main()
