"""`tbbench run`: what is missing of a run is done, and its report written."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import FAILED, INTERRUPTED, complete, examples, open_console
from benchmark.commands.as_json import print_json
from benchmark.commands.photo_options import PhotoOptions, photo_overrides, photo_source
from benchmark.commands.run_options import Out, Overrides, Protocol

if TYPE_CHECKING:
    from benchmark.commands.report import Reporting

app = typer.Typer()


@app.command(
    epilog=examples(
        "tbbench run quickstart",
        "tbbench run quickstart --set training.steps=50 --out runs/short",
        "tbbench run mine.toml --set methods.textboost.steps=50",
        "tbbench run mine.toml --retry failed --max-failures 3 --cell-timeout 3600",
        "tbbench run dreambench-sd15 --dry-run",
        "tbbench run dreambench-sd15 --dry-run --json",
        "tbbench run --photos my-dog --class-noun dog --descriptor corgi --backbone sd15",
    )
)
def run(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="A ready run's name or the path of a TOML file.", autocompletion=complete.runs
        ),
    ] = None,
    set_: Overrides = None,
    out: Out = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Cells at a time.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, cuda, cuda:N or mps.",
            autocompletion=complete.words("auto", "cpu", "cuda", "mps"),
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="A backbone's name, a folder or a hub id.", autocompletion=complete.backbones
        ),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Photos of one subject of yours, in place of a data set."),
    ] = None,
    class_noun: Annotated[
        str | None, typer.Option(metavar="NOUN", help="What the photos show, such as dog.")
    ] = None,
    descriptor: Annotated[
        str | None, typer.Option(metavar="WORD", help="What kind of it, such as corgi.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Of the subject. Default: the folder's."),
    ] = None,
    train_photo: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The photo that trains. Default: the first by name."),
    ] = None,
    live_subject: Annotated[
        bool | None,
        typer.Option(
            "--live-subject/--object",
            help="Which of DreamBench's prompts. Default: by the class noun.",
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="local, this machine, or ray, a cluster: docs/how-to/cluster.md.",
            autocompletion=complete.words("local", "ray"),
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A running Ray cluster to join, or auto."),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACKER",
            help="tensorboard, wandb or mlflow: losses, costs and scores go there too. Repeatable.",
            autocompletion=complete.words("tensorboard", "wandb", "mlflow"),
        ),
    ] = None,
    protocol: Protocol = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="i/N", help="Work on part i of N alone: see `tbbench plan`."),
    ] = None,
    retry: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Which failed cells are tried again: interrupted, those that failed from outside "
            "(killed, out of memory or time, disk full); failed, all; or none.",
            autocompletion=complete.words("interrupted", "failed", "none"),
        ),
    ] = "interrupted",
    max_failures: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Start no more cells after so many failures."),
    ] = None,
    cell_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End a cell that takes longer.")
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="Deterministic kernels only: explanation/determinism.md in docs.",
        ),
    ] = False,
    verify_determinism: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Then do N cells again and compare them."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Rewrite the report's page as cells finish.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what it would take: no work, network or weights."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines. Only with --dry-run.")
    ] = False,
) -> None:
    """Train, generate and score what is missing of a run, then write its report.

    The same command goes on where an earlier one stopped, and a finished run is not done again. A
    cell that fails ends no other; the exit code is then 1.
    """

    from benchmark.collect import states
    from benchmark.config import load_config
    from benchmark.errors import UserError, shown
    from benchmark.failures import RETRIES
    from benchmark.live import live_page
    from benchmark.runner import Patience, RunInterruptedError, run_benchmark
    from benchmark.shards import parse_shard
    from benchmark.store import Run

    if as_json and not dry_run:
        raise UserError(
            "--json is for what --dry-run says; of a run, ask `tbbench report RUN --json`"
        )
    reporting: Reporting = context.find_root().obj
    mine = PhotoOptions(photos, class_noun, descriptor, subject, train_photo, live_subject)
    source = photo_source(name, mine, backbone)
    overrides = [*photo_overrides(name, mine, backbone), *(set_ or [])]
    if workers is not None:
        overrides.append(f"execution.workers={workers}")
    if device is not None:
        overrides.append(f'execution.device="{device}"')
    if executor is not None:
        overrides.append(f"execution.executor={json.dumps(executor)}")
    if address is not None:
        overrides.append(f"execution.address={json.dumps(address)}")
    if track:
        overrides.append(f"tracking.to={json.dumps(track)}")
    part = parse_shard(shard) if shard is not None else None
    if cell_timeout is not None:
        overrides.append(f"execution.cell_timeout={cell_timeout!r}")
    if deterministic:
        overrides.append("execution.deterministic=true")
    if retry not in RETRIES:
        raise UserError(f"--retry {shown(retry)}: expected {', '.join(RETRIES)}")
    config = load_config(source, overrides, protocol)
    console = open_console(stderr=as_json)
    if config.photos is not None:
        from benchmark.own_photos import about, register

        for line in about(config.photos, register(config.photos)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        from rich.console import Console
        from rich.progress import track as bar

        from benchmark import dry_run as prediction

        aside = Console(stderr=True, highlight=False)
        aside.print("predicting a step of each method: minutes the first time, then it is kept")
        found = prediction.shares(
            config, lambda all: bar(all, "predicting", console=aside, transient=True)
        )
        if as_json:
            print_json(prediction.as_json(config, found))
        else:
            prediction.show(config, found, console)
        return
    folder = out or Path("runs") / config.name
    try:
        around = (lambda: live_page(folder, console)) if live else nullcontext
        patience = Patience(retry, max_failures)
        outcome = run_benchmark(config, folder, console, around, part, patience)
    except RunInterruptedError as stopped:
        if live:
            run = Run.open(folder)
            reporting.show(run, states(run), console, True, False)
        line = f"stopped with {stopped}; the same command goes on from there"
        console.print(line, highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    if not outcome.full and (live or len(outcome.failures) < outcome.cells):
        reporting.show(outcome.run, outcome.states, console, live or outcome.changed, False)
    differs = False
    if verify_determinism is not None:
        from benchmark.determinism import show, verify

        repeated = verify(outcome.run, verify_determinism, console)
        show(repeated, console)
        differs = not all(cell.equal for cell in repeated)
    for label, reason in outcome.failures:
        print(f"failed: {label}: {reason}", file=sys.stderr)
    if outcome.failures:
        failed = f"{len(outcome.failures)} of {outcome.cells} cells failed"
        print(f"{failed}; {outcome.again}", file=sys.stderr)
    if outcome.not_started:
        cells = "1 cell was" if outcome.not_started == 1 else f"{outcome.not_started} cells were"
        failures = "1 failure" if max_failures == 1 else f"{max_failures} failures"
        why = outcome.no_room or f"after {failures} (--max-failures)"
        print(f"{cells} not started: {why}; the same command goes on", file=sys.stderr)
    if outcome.full:
        why = f"{folder}: the disk is full, so tables and report are as they were before"
        print(f"{why}; free some space, and the same command writes them", file=sys.stderr)
    if outcome.failures or outcome.not_started or outcome.full or differs:
        raise typer.Exit(FAILED)
