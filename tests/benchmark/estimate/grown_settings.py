"""The settings that both sides of the comparison with a process's size have."""

from __future__ import annotations

from typing import Any

from benchmark.estimate.question import with_batch
from tests.methods.support import settings


def settings_for(method: str, batch: int) -> Any:
    """Two steps of so many pictures."""
    return with_batch(settings(method, steps=2), batch)[0]
