"""Control `base`: the untouched backbone, asked for the class and not for the subject."""

from __future__ import annotations

from typing import ClassVar

from methods.interface import Method


class Base(Method):
    """No personalization: the identifier is dropped and the class noun stays."""

    name: ClassVar[str] = "base"
    summary: ClassVar[str] = "no personalization: the backbone and the class noun"
    trains: ClassVar[bool] = False
    several_concepts: ClassVar[bool] = True
