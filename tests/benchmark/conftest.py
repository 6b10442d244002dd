"""A small run on the tiny backbone: toy-world photos, few steps, scored only where asked for."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark import pauses
from benchmark.config import RunConfig
from benchmark.plan import Cell, plan
from benchmark.store import CellFolder
from methods import get_method

SMALL: dict[str, Any] = {
    "name": "small",
    "title": "Small",
    "dataset": "toyworld",
    "subjects": ["spotted_dog"],
    "prompts": ["in-the-jungle", "on-the-beach"],
    "methods": [{"name": "base"}, {"name": "textual-inversion", "preset": "toy"}],
    "training": {"steps": 2},
    "generation": {"seeds": [0, 1], "steps": 2},
    "scoring": {"metrics": [], "image_encoders": [], "text_encoders": []},
    "execution": {"device": "cpu", "workers": 1},
}
INVERSION = [{"name": "textual-inversion", "preset": "toy"}]


def trained_cell(small: Callable[..., RunConfig], **changes: object) -> Cell:
    (cell,) = plan(small(methods=INVERSION, **changes))
    return cell


def pictures(folder: CellFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.images.iterdir()}


@pytest.fixture
def small(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RunConfig]:
    """Makes the run's configuration; `small(generation={"steps": 3})` changes single keys."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))

    def make(**changes: Any) -> RunConfig:
        table = copy.deepcopy(SMALL) | {"backbone": str(tiny_backbone)}
        for key, value in changes.items():
            if isinstance(value, dict):
                table[key] = table.get(key, {}) | value
            else:
                table[key] = value
        return RunConfig.model_validate(table)

    return make


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows whenever Textual Inversion trains."""
    kind = type(get_method("textual-inversion"))
    train, seen = kind.train, []

    def count(self, pipe, task, settings):
        seen.append(task.subject)
        return train(self, pipe, task, settings)

    monkeypatch.setattr(kind, "train", count)
    return seen


@pytest.fixture
def go_on() -> Iterator[Callable[[], None]]:
    """Tells this process that it was stopped and goes on, and has that counted."""
    before = signal.getsignal(signal.SIGCONT)
    pauses.watch()
    yield lambda: os.kill(os.getpid(), signal.SIGCONT)
    signal.signal(signal.SIGCONT, before)
