"""The reference page of the command line: the `--help` of every command.

`python -m benchmark.cli_page > docs/reference/cli.md` renews it; a test holds that it is as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

WIDTH = 92

_HEAD = """# The command line

What `--help` says of every command; `tbbench COMMAND --help` says it in a terminal, with colours
where there are some. `tbbench --install-completion` completes commands, options and names.
`NO_COLOR`, `FORCE_COLOR` and `COLUMNS` are honoured; what goes into a file or a pipe is plain and
not wrapped. With `--json` standard output is JSON alone: null is what is no number or was not
measured, messages go to standard error, and a mistake (exit code 2) leaves it empty unless a
listing was only in part to be had.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | some cells failed; a regression; a claim refuted; something is damaged |
| 2 | a mistake in what was asked, in one line that names the fix |
| 130 | stopped by Ctrl-C; the same command goes on |

This page is written by `python -m benchmark.cli_page`.
"""


def commands(command: Any, path: tuple[str, ...] = ("tbbench",)) -> Iterator[tuple[str, Any]]:
    """(`tbbench data fetch`, the command) of a command and all below it, those before these."""
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


def help_text(name: str, command: Any) -> str:
    """Its `--help`, plain and `WIDTH` columns wide wherever it is made."""
    styled = command.rich_markup_mode
    command.rich_markup_mode = None
    try:
        # Whoever makes the page may be in any terminal.
        context = typer.Context(command, info_name=name, terminal_width=WIDTH)
        text: str = command.get_help(context)
    finally:
        command.rich_markup_mode = styled
    return "\n".join(line.rstrip() for line in text.splitlines())


def page() -> str:
    """The page, in Markdown."""
    from benchmark.cli import app

    parts = [_HEAD]
    for name, command in commands(typer.main.get_command(app)):
        parts.append(f"## {name}\n\n```text\n{help_text(name, command)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
