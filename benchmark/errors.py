"""The one error a user is meant to read."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_LINE, LONGEST_VALUE = 1500, 120
"""Characters of a message, and of a value in it."""


class UserError(Exception):
    """A mistake the user can mend, in one line: what is wrong, what was expected, how to fix it.

    The command line prints the message on stderr and exits with code 2. What users gave stands in
    it as it is: control characters are escaped, and the middle of an endless line is left out.
    """

    def __init__(self, line: str) -> None:
        super().__init__(short(line, LONGEST_LINE))


class DamagedPhotoError(UserError):
    """A photo of a subject that is missing, changed or no picture."""


class ChangedCodeError(UserError):
    """A cell was planned with other code than the process that works on it has."""


def shown(value: object) -> str:
    """A value that a user gave, as it stands in a message: quoted, escaped, and not too long."""
    return short(repr(value), LONGEST_VALUE)


def short(text: str, longest: int) -> str:
    """The text without control characters, its middle left out where it is longer than that."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: 10 * longest])
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 23]}...{plain[-20:]}"


FIXES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "make it writable and readable for you, or give another folder (--out)",
    ),
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT), "free some space; the same command goes on where it stopped"
    ),
    errno.EFBIG: "no file may get so large here: see `ulimit -f` and the file system",
    errno.EMFILE: "too few files may be open at a time: raise `ulimit -n`",
}


def in_one_line(error: OSError) -> str:
    """What the system refused, with the file where it says which, and what to do where we know."""
    about = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    fix = FIXES.get(error.errno or 0)
    return short(f"{about}; {fix}" if fix else about, LONGEST_LINE)


@contextmanager
def plugin_code(kind: str, name: str) -> Iterator[None]:
    """Around everything that reads or imports a file found by its name, ours or a plug-in's.

    Raises UserError when that is broken. kind: "method", "metric" or "backbone".
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())
        raise UserError(f"{kind} {name!r} does not load: {type(error).__name__}: {line}") from error
