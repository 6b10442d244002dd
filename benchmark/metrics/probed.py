"""What metrics are given of prompts that leave the subject out; `benchmark/probes.py` makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from benchmark.metrics.encoders import Picture
    from benchmark.metrics.evidence import Rows

T = TypeVar("T")


@dataclass(frozen=True)
class Two(Generic[T]):
    """The trained model's and the untouched backbone's, in the same order from the same noise."""

    trained: T
    untouched: T


@dataclass(frozen=True)
class Probed:
    """Pictures of the kinds `class` and `drift`, as far as they were asked for."""

    pictures: Mapping[str, Two[Sequence[Picture]]] = field(default_factory=dict)
    texts: tuple[Two[Rows], ...] = ()
    """For each text encoder the [n, width] embeddings of the drift prompts, of length 1."""
