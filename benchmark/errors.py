"""The one error a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake the user can mend, in one line: what is wrong, what was expected, how to fix it.

    The command line prints the message on stderr and exits with code 2.
    """


class DamagedPhotoError(UserError):
    """A photo of a subject that is missing, changed or no picture."""


LONGEST_VALUE = 120


def shown(value: object) -> str:
    """A value that a user gave, as it stands in a message: quoted, escaped, and not too long."""
    return short(repr(value), LONGEST_VALUE)


def short(text: str, longest: int) -> str:
    """The text without control characters, its middle left out where it is longer than that."""
    plain = text if text.isprintable() else ascii(text)[1:-1]
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 23]}...{plain[-20:]}"


@contextmanager
def plugin_code(kind: str, name: str) -> Iterator[None]:
    """Around everything that reads or imports a file found by its name, ours or a plug-in's.

    Raises UserError when that is broken. kind: "method" or "metric".
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())
        raise UserError(f"{kind} {name!r} does not load: {type(error).__name__}: {line}") from error
