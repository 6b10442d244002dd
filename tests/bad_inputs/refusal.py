"""What a refusal must be, and how a command behaves in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmark.cli import main
from benchmark.errors import UserError

LONGEST = 1500


def check_line(line: str) -> None:
    """One line that a person can read: no traceback, no control characters, not endless."""
    assert line.strip(), "the reason is empty"
    assert "Traceback" not in line
    assert line.isprintable(), f"control characters: {line!r}"
    assert len(line) <= LONGEST, f"{len(line)} characters: {line[:200]}..."


def refused(call: Callable[[], Any]) -> str:
    """The one line of the UserError that `call` must raise."""
    with pytest.raises(UserError) as caught:
        call()
    check_line(str(caught.value))
    return str(caught.value)


def refused_or_fine(call: Callable[[], Any]) -> bool:
    """Whether `call` went well; where not, it must have been refused in one line."""
    try:
        call()
    except UserError as error:
        check_line(str(error))
        return False
    return True


def command(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code and stderr of `tbbench` with these arguments. Whatever it lets through is raised,
    as a traceback would be shown."""
    monkeypatch.setattr("sys.argv", ["tbbench", *arguments])
    errors = io.StringIO()
    code = 0
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, errors.getvalue()


def refused_by_command(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line on stderr of a command that must end with code 2."""
    code, said = command(arguments, monkeypatch)
    assert code == 2, f"exit code {code}: {said}"
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("tbbench: ")
    check_line(lines[0])
    return lines[0]
