"""The commands of `tbbench`, a file each; `cli.py` puts them together."""

FAILED, USER_MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0; 1 is also a regression or a refuted claim."""
