"""`tbbench perf`: measure the code, compare two measurements, look back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import FAILED, INTERRUPTED, examples
from benchmark.commands.as_json import print_json
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.perf.compare import Comparison
    from benchmark.perf.session import Request

app = typer.Typer(
    help="Has a change made the code slower or larger?",
    epilog=examples("tbbench perf run --against HEAD~1"),
    no_args_is_help=True,
)

LOG_WIDTH = 160
HISTORY = "Append the figures to this file, a JSON object a line."


@app.command(
    epilog=examples(
        "tbbench perf run --against HEAD~1",
        "tbbench perf run --case 'train/textboost/*' --out before.json",
    )
)
def run(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("perf.json"),
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only these: a name, or with * for anything."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="BASE",
            help="A commit or a clone's folder, measured in turn into OUT-base.json.",
        ),
    ] = None,
    history: Annotated[Path | None, typer.Option(help=HISTORY)] = None,
) -> None:
    """Measure every case of the suite and write pytest-benchmark's JSON.

    With --against the two trees are measured in turn, so that both meet the machine in the same
    state: only then are differences of a few percent told from chance. Takes minutes.
    """
    from rich.console import Console

    from benchmark.perf import history as past
    from benchmark.perf.session import Request
    from benchmark.perf.session import run as measure
    from benchmark.perf.suite import choose

    console = Console(highlight=False, soft_wrap=True)
    patterns = case or []
    request = Request(choose(patterns), out, against, patterns)
    try:
        files = measure(request, lambda line: console.print(line, markup=False))
    except KeyboardInterrupt:
        console.print(_stopped(request), markup=False)
        raise typer.Exit(INTERRUPTED) from None
    new = files[-1]
    for name, stored in new.cases.items():
        counters = ", ".join(f"{key} {value:,}" for key, value in stored.counters.items())
        console.print(f"{name}  {1000 * stored.median:.1f} ms  {counters}", markup=False)
    if history is not None:
        past.append(history, new)
    console.print("written: " + ", ".join(str(file.path) for file in files), markup=False)
    if against is not None:
        line = f"compare them: tbbench perf compare {request.base_out} {out}"
        console.print(line, markup=False)
    for label, file in zip(("failed", "failed in the base"), reversed(files), strict=False):
        for name, why in file.failed.items():
            console.print(f"{label}: {name}: {why}", markup=False)
    if new.failed:
        raise typer.Exit(FAILED)


def _stopped(request: Request) -> str:
    """What a measurement that was stopped has left, and what lies there of another."""
    from benchmark.perf.session import written

    own = written(request)
    others = [path for path in (request.base_out, request.out) if path not in own]
    earlier = [str(path) for path in others if path.exists()]
    told = "nothing was written"
    if own:
        verb = "were" if len(own) > 1 else "was"
        only = "only " if len(own) == 1 and request.against is not None else ""
        told = f"{only}{' and '.join(map(str, own))} {verb} written"
    if earlier:
        verb = "are" if len(earlier) > 1 else "is"
        told += f"; {' and '.join(earlier)} {verb} of an earlier time"
    return f"stopped, and {told}"


@app.command(epilog=examples("tbbench perf compare perf-base.json perf.json --markdown summary.md"))
def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="What was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="What is.")],
    everything: Annotated[bool, typer.Option("--all", help="List what is the same, too.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a job's summary.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="JUnit XML.")] = None,
    json_: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="github-action-benchmark's form, `-` for the output."
        ),
    ] = None,
    history: Annotated[Path | None, typer.Option(help=HISTORY)] = None,
) -> None:
    """Compare two measurements. Exit code 1 when something became slower or larger, or is lost."""
    from rich.console import Console

    from benchmark.perf import history as past
    from benchmark.perf import output
    from benchmark.perf.compare import compare as compared
    from benchmark.perf.stored import read

    found = compared(read(base), read(new))
    if base.read_bytes() == new.read_bytes():
        raise UserError(
            f"{base} and {new} are one measurement; give that of the base and that of the change"
        )
    alone = str(json_) == "-"
    # A job's log is no terminal, and as wide as need be.
    width = None if (sys.stderr if alone else sys.stdout).isatty() else LOG_WIDTH
    console = Console(highlight=False, soft_wrap=True, width=width, stderr=alone)
    console.print(output.rich_table(output.shown(found, everything), console.width))
    for note in found.notes:
        console.print(f"note: {note}", markup=False)
    console.print(output.summary(found), markup=False)
    _write(found, markdown, junit, json_)
    if history is not None:
        past.append(history, found.new, output.worst(found))
    if not found.passes:
        raise typer.Exit(FAILED)


def _write(
    found: Comparison, markdown: Path | None, junit: Path | None, json_: Path | None
) -> None:
    from benchmark.atomic import write_bytes, write_json, write_text
    from benchmark.perf import output

    if markdown is not None:
        write_text(markdown, output.markdown(found))
    if junit is not None:
        write_bytes(junit, output.junit(found))
    if str(json_) == "-":
        print_json(output.smaller_is_better(found))
    elif json_ is not None:
        write_json(json_, output.smaller_is_better(found))


@app.command(epilog=examples("tbbench perf trend perf-history.jsonl --out trend.svg"))
def trend(
    history: Annotated[Path, typer.Argument(metavar="FILE", help="What --history appended to.")],
    out: Annotated[Path, typer.Option(help="The figure to write, SVG.")] = Path("trend.svg"),
) -> None:
    """Draw how times and memory of the cases went over all measurements."""
    from benchmark.atomic import write_bytes
    from benchmark.perf import history as past

    records = past.read(history)
    write_bytes(out, past.figure(records))
    typer.echo(f"written: {out}")
