"""The commands of `tbbench`, a file each; `cli.py` puts them together."""

FAILED, USER_MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0; 1 is also a regression or a refuted claim."""


def examples(*lines: str) -> str:
    """The end of a command's `--help`: a command per line, what it is for after `  # `."""
    return "\n\n".join(("Examples:", *lines))
