"""Fresh copies of the tiny pipeline, for tests that change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from diffusers import StableDiffusionPipeline

from tests.tiny import open_tiny_pipeline


@pytest.fixture(scope="session")
def open_pipe(tiny_backbone: Path) -> Callable[[], StableDiffusionPipeline]:
    return lambda: open_tiny_pipeline(tiny_backbone)
