"""A backbone of random weights, for all tests that need a real pipeline."""

from pathlib import Path

import pytest

from tests.tiny import build_tiny_pipeline


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format: 32 px pictures, a second or less per cell."""
    return build_tiny_pipeline(tmp_path_factory.mktemp("backbone") / "tiny")
