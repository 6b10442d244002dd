"""The commands of `tbbench`, a file each; `cli.py` puts them together."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from benchmark.claims.file import Claim

FAILED, USER_MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0; 1 is also a regression or a refuted claim."""


def examples(*lines: str) -> str:
    """The end of a command's `--help`: a command per line, what it is for after `  # `."""
    return "\n\n".join(("Examples:", *lines))


READABLE = 90
"""The most characters that a line of sentences has in a table, also in a file or a pipe."""


def open_console(**options: Any) -> Console:
    """Standard output, or with `stderr=True` the other one. As wide as the terminal or `COLUMNS`
    says; a file or a pipe has no width, so that nothing in it is wrapped or cut. `options` are
    those of rich's Console."""
    from rich.console import Console

    stream = sys.stderr if options.get("stderr") else sys.stdout
    if not stream.isatty() and "COLUMNS" not in os.environ:
        options.setdefault("width", 10_000)
    return Console(**options)


def print_table(console: Console, table: Table) -> None:
    """Prints a table; without a terminal no line of it ends in the blanks that fill its columns."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    console.file.write("\n".join(line.rstrip() for line in printed.get().split("\n")))


def judging(
    quiet: bool = False,
) -> Callable[[Sequence[tuple[str, Claim]]], Iterable[tuple[str, Claim]]]:
    """For `judge_all`: says on the error output, unless `quiet`, that claims are judged, and shows
    a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    aside = Console(stderr=True, highlight=False, soft_wrap=True)
    if not quiet:
        aside.print("judging claims: minutes the first time, then counts and predictions are kept")
    return partial(
        track,
        description="judging claims",
        console=aside,
        transient=True,
        disable=not aside.is_terminal,
    )
