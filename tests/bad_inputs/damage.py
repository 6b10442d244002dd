"""Ways in which a file stops being what it was."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Planted:
    """Unpickled, it leaves a file behind: whoever loads it executes it."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._trace,))


def planted_pickle(trace: Path) -> bytes:
    """A pickle that creates `trace` when it is loaded."""
    return pickle.dumps(Planted(trace))


def _flipped(place: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        at = min(int(place * len(content)), len(content) - 1)
        return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]

    return flip


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "half": lambda content: content[: len(content) // 2],
    "last byte lost": lambda content: content[:-1],
    "first byte lost": lambda content: content[1:],
    "flipped near the start": _flipped(0.02),
    "flipped in the middle": _flipped(0.5),
    "flipped near the end": _flipped(0.98),
    "zeros": lambda content: bytes(len(content)),
    "ones": lambda content: b"\xff" * len(content),
    "twice": lambda content: content + content,
    "a web page": lambda content: b"<!doctype html><title>404</title>",
    "a pointer of Git LFS": lambda content: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    ),
    "a pickle": lambda content: pickle.dumps({"a": 1}),
    "UTF-16": lambda content: "\ufeffversion = 1".encode("utf-16"),
}
"""Name -> what becomes of the content."""

WRONG_JSON: dict[str, str] = {
    "a list": "[]",
    "an empty table": "{}",
    "a number": "3",
    "null": "null",
    "a text": '"cells"',
    "not a number": "NaN",
    "deep": "[" * 5000 + "]" * 5000,
    "huge number": "1" * 5000,
    "lists for tables": '{"cells": [[]], "files": [], "outcome": [], "cell": []}',
    "texts for tables": '{"cells": "x", "files": "x", "outcome": "x", "cell": "x"}',
    "nulls": '{"cells": null, "files": null, "outcome": null, "cell": null, "attempts": null}',
    "numbers": '{"cells": 1, "files": 1, "outcome": 1, "cell": 1, "status": 1, "attempts": 1.5}',
    "later version": '{"version": 99, "cells": [], "files": {}, "status": "done"}',
}
"""Name -> JSON (or nearly) that is not what any file of ours holds."""
