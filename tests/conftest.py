"""For all tests: a backbone of random weights, and no cache of embeddings."""

import os
from pathlib import Path

import pytest

from tests.tiny import build_tiny_pipeline

# Nothing that a test scores may come from an earlier test, or from this user's own runs.
os.environ["TBBENCH_EMBEDDINGS_MB"] = "0"


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format: 32 px pictures, a second or less per cell."""
    return build_tiny_pipeline(tmp_path_factory.mktemp("backbone") / "tiny")
