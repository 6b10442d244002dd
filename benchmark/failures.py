"""Failure as data: what kind a failure is, where it happened, and which are worth another try.

A kind is the error's class name, but for those that come under several names or under none: see
`kind_of` and `death`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.atomic import write_bytes
from benchmark.errors import ChangedCodeError, DamagedPhotoError
from benchmark.executors import LOST, TIMED_OUT

START = "start"
"""The stage before the first one: a worker's start, and opening everything by name."""
RETRIES = ("interrupted", "failed", "none")
TRANSIENT = frozenset(
    {"OutOfMemory", "DiskFull", "Timeout", "WorkerExit", "WorkerLost", "ChangedCode"}
)
"""Kinds that come from outside of the cell, beside all signals: another try may end well."""

MESSAGE_CHARACTERS = 1000
TAIL_LINES = 30
TAIL_CHARACTERS = 500
"""Of one line."""
TAIL_BYTES = 8000
READ_BYTES = 256 * 1024
"""How much of a log's end is looked at."""
ATTEMPT = re.compile(r"^-- \d{4}-\d\d-\d\d \d\d:\d\d:\d\d process \d+$")
"""The line with which a worker begins its part of a log."""

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = ("no space left on device", "disk quota exceeded")
MEMORY_WORDS = (
    *("out of memory", "can't allocate memory", "cannot allocate memory"),
    *("defaultcpuallocator", "cublas_status_alloc_failed"),
)
DIVERGED = re.compile(r"^step \d+: the loss is ")

SECRET_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY)$")
SECRET_LENGTH = 8
"""Values shorter than this guard nothing, and are found in innocent words."""
SECRETS = (
    (re.compile(r"hf_[A-Za-z0-9_]{8,}"), "hf_***"),
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    (re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)"), r"\1***"),
)


class NotFiniteLossError(ArithmeticError):
    """A loss that is NaN or infinite."""


class NotFinitePictureError(ArithmeticError):
    """Numbers that the backbone gave for pixels and that are none."""


def kind_of(error: BaseException) -> str:
    """The kind of an error that ended a cell.

    `OutOfMemory` and `DiskFull` come in several classes, and wrapped in others; what a library
    raised "from" them is of their kind.
    """
    for one in _causes(error):
        if is_full(one):
            return "DiskFull"
        text = str(one).lower()
        # torch is not imported to ask: its class and its CPU allocator's words are known.
        named = any(kind.__name__ == "OutOfMemoryError" for kind in type(one).__mro__)
        short = isinstance(one, OSError) and one.errno == errno.ENOMEM
        said = isinstance(one, RuntimeError) and any(words in text for words in MEMORY_WORDS)
        if isinstance(one, MemoryError) or named or short or said:
            return "OutOfMemory"
        # The training loop's own error; its class is a part of every method's version.
        if isinstance(one, NotFiniteLossError) or (
            isinstance(one, ArithmeticError) and DIVERGED.match(str(one))
        ):
            return "NotFiniteLoss"
    if isinstance(error, DamagedPhotoError | NotFinitePictureError | ChangedCodeError):
        return type(error).__name__.removesuffix("Error")
    return type(error).__name__


def is_full(error: BaseException) -> bool:
    """Whether the error says that the disk is full or a quota is used up."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    text = str(error).lower()
    return any(words in text for words in FULL_WORDS)  # libraries in Rust and C++ say it in words


def death(exit_code: int, timeout: float | None = None) -> tuple[str, str]:
    """Kind and message for a worker that ended without a word. `timeout`: its limit in seconds."""
    if exit_code == TIMED_OUT:
        limit = "" if timeout is None else f" after {timeout:g} s"
        return "Timeout", f"the cell was not done{limit} (execution.cell_timeout); see log.txt"
    if exit_code == LOST:
        return "WorkerLost", "Ray lost the worker or its machine on every try; see log.txt"
    if exit_code >= 0:
        return "WorkerExit", f"the worker ended with exit code {exit_code}; see log.txt"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"SIG{-exit_code}"
    hint = " (often the system ran out of memory)" if name == "SIGKILL" else ""
    return name, f"the worker was killed by {name}{hint}; see log.txt"


def is_transient(kind: str | None) -> bool:
    """Whether a failure of this kind came from outside of the cell."""
    return kind is not None and (kind in TRANSIENT or kind.startswith("SIG"))


def to_be_tried(state: Mapping[str, Any], retry: str) -> bool:
    """Whether a cell in this state is worked on. retry: one of `RETRIES`.

    Unfinished cells always are; failed ones with `interrupted` where the failure came from
    outside of the cell, and with `failed` whatever it was.
    """
    if state["status"] != "failed":
        return bool(state["status"] == "pending")
    return retry == "failed" or (retry == "interrupted" and is_transient(state["kind_of_failure"]))


def failed_meanwhile(state: Mapping[str, Any], attempts: int | None) -> bool:
    """Whether a cell has failed by its own fault since it had been tried `attempts` times.

    Another run did that, waited for by this one: a further try would fail alike.
    """
    if attempts is None or state["status"] != "failed" or state["attempts"] <= attempts:
        return False
    return not is_transient(state["kind_of_failure"])


def tried_again_by(failed: int, outside: int, retry: str) -> str:
    """Which command tries failed cells again, after a call with this `retry`.

    outside: how many of them failed from outside of the cell.
    """
    same = "the same command"
    first = f"{same} with --retry interrupted" if retry == "none" else same
    if retry == "failed":
        return f"{same} tries them again"
    if outside == failed:
        return f"{first} tries them again"
    every = f"{same} with --retry failed tries them again"
    return every if outside == 0 else f"{first} tries {outside} of them again, --retry failed all"


def reason(state: Mapping[str, Any]) -> str:
    """`STAGE: KIND: message` of a failed cell; cells of older runs know no stage."""
    told = [state.get("stage"), state.get("kind_of_failure"), state.get("message")]
    return ": ".join(str(part) for part in told if part)


def one_line(text: str) -> str:
    """The text as one line that can be written, without secrets, 1000 characters at most."""
    line = redacted(" ".join(writable(text).split()))
    return line if len(line) <= MESSAGE_CHARACTERS else line[: MESSAGE_CHARACTERS - 1] + "…"


def log_tail(log: Path, begin: int = 0) -> str:
    """The last lines that this attempt wrote: 30 and 8000 bytes at most, without secrets.

    begin: how many bytes the log held before. Of what was written since, the last worker's part
    counts. Empty when there is no such log.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - READ_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = redacted(text).splitlines()
    starts = [n for n, line in enumerate(lines) if ATTEMPT.match(line)]
    mine = [_cut(line) for line in lines[starts[-1] if starts else 0 :]]
    last = mine[-TAIL_LINES:]
    # A crash names itself before the stacks of all its threads.
    crash = [line for line in mine[:-TAIL_LINES] if line.startswith("Fatal Python error")]
    kept = "\n".join([*crash[-1:], *last])
    return kept.encode()[-TAIL_BYTES:].decode("utf-8", "ignore")


def _cut(line: str) -> str:
    """A line that can be read: a crash lists all its libraries in one."""
    return line if len(line) <= TAIL_CHARACTERS else line[: TAIL_CHARACTERS - 1] + "…"


def redact_log(log: Path) -> None:
    """Takes access tokens out of a log, whoever wrote them there; see `redacted`."""
    try:
        content = log.read_bytes()
    except OSError:
        return
    clean = redacted(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if clean != content:
        with contextlib.suppress(OSError):  # a full disk must not cost the cell
            write_bytes(log, clean)


def redacted(text: str, variables: Mapping[str, str] | None = None) -> str:
    """The text without access tokens: those of Hugging Face, passwords in addresses, and what
    stands in environment variables (`variables`, by default this process's) named like secrets."""
    held = os.environ if variables is None else variables
    # The longest first, or what contains another would stay in part.
    for value in sorted(
        (v for name, v in held.items() if SECRET_NAMES.search(name.upper())), key=len, reverse=True
    ):
        if len(value) >= SECRET_LENGTH:
            text = text.replace(value, "***")
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def writable(text: str) -> str:
    """The text with a question mark for half a surrogate pair, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__
