"""A stand-in for a library that plays back calls written down beforehand, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Call = tuple[str, tuple[Any, ...], Any]
"""A function's name, the arguments it must be given, and what it returns or raises."""


class Recorded:
    """Any function may be called on it, but only the next one of `calls`, with its arguments.

    `constants` are the library's own names that are no functions.
    """

    def __init__(self, calls: Sequence[Call], **constants: Any) -> None:
        self._calls = list(calls)
        self.__dict__.update(constants)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            assert self._calls, f"{name}{given} is called, and no call was recorded after the last"
            expected, arguments, answer = self._calls.pop(0)
            assert (name, given) == (expected, arguments)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def finished(self) -> bool:
        """Whether every recorded call was made."""
        return not self._calls
