"""`tbbench cache`: the embeddings that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands import examples
from benchmark.commands.as_json import AsJson, print_json

if TYPE_CHECKING:
    from benchmark.embedding_cache import Info

app = typer.Typer(
    help="Look at or shrink the cache of embeddings.",
    epilog=examples("tbbench cache info", "tbbench cache prune --megabytes 500"),
    no_args_is_help=True,
)


@app.command(epilog=examples("tbbench cache info", "tbbench cache info --json"))
def info(as_json: AsJson = False) -> None:
    """Where the cache of embeddings lies, how much it holds and how much it may hold."""
    from benchmark.embedding_cache import open_cache

    _print_cache(open_cache().info(), as_json)


@app.command(
    epilog=examples(
        "tbbench cache prune --megabytes 500",
        "tbbench cache prune",
    )
)
def prune(
    megabytes: Annotated[float, typer.Option(min=0, help="What may stay; 0 empties it.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Drop the embeddings that were not used for longest. They are computed again when needed."""
    from benchmark.embedding_cache import open_cache

    _print_cache(open_cache().prune(int(megabytes * 1_000_000)), as_json)


def _print_cache(info: Info, as_json: bool) -> None:
    if as_json:
        print_json(info)
        return
    limit = f"at most {info.limit / 1e6:,.0f} MB" if info.limit else "turned off"
    held = f"{info.embeddings:,} embeddings, {info.bytes / 1e6:,.1f} MB"
    typer.echo(f"{info.file}: {held}; {limit}")
