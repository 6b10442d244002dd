"""The commands of `tbbench`, a file each; `cli.py` puts them together."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

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


@contextmanager
def judging(quiet: bool = False) -> Iterator[None]:
    """Says on the error output that claims are judged; without a terminal not where `quiet`."""
    from rich.console import Console

    aside = Console(stderr=True, highlight=False, soft_wrap=True)
    line = "judging claims: minutes the first time, then counts and predictions are kept"
    if not aside.is_terminal and not quiet:
        aside.print(line)
    with aside.status(line):
        yield
