"""A cell is worked on with the code that it was planned with, or not at all."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark import loaded_code
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.errors import ChangedCodeError
from benchmark.failures import to_be_tried
from benchmark.loaded_code import check_code, remember
from benchmark.metrics import own_metric_names
from benchmark.plan import Cell, plan
from benchmark.store import cell_folder
from methods import own_method_names

OTHER = "0" * 12


@pytest.fixture
def cell(small: Callable[..., RunConfig]) -> Cell:
    scored = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    return plan(small(methods=[{"name": "base"}], scoring=scored))[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"code_version": OTHER},
            "the code of method 'base', or data beside it, has changed since",
        ),
        (
            {"metrics": {"fidelity": OTHER}},
            "of metric 'fidelity', or data beside it, has changed",
        ),
    ],
)
def test_other_code_than_planned_makes_no_result(
    cell: Cell, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    other = dataclasses.replace(cell, **changes)
    assert not run_cell(tmp_path, other, Circumstances())
    state = cell_folder(tmp_path, other.key).state()
    assert (state["status"], state["kind_of_failure"]) == ("failed", "ChangedCode")
    assert said in state["message"]
    assert to_be_tried(state, "interrupted")  # it may have been put back meanwhile
    assert not cell_folder(tmp_path, other.key).images.exists()


def test_what_is_edited_after_it_was_loaded_changes_nothing(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_code, "_loaded", {})
    remember()
    monkeypatch.setattr(loaded_code, "metric_version", lambda name: OTHER)
    monkeypatch.setattr(loaded_code, "code_version", lambda name: OTHER)
    check_code(cell)
    monkeypatch.setattr(loaded_code, "_loaded", {})
    with pytest.raises(ChangedCodeError):
        check_code(cell)


def test_workers_are_forked_from_a_process_that_remembers() -> None:
    code = (
        "import benchmark.executors.preload; from benchmark.loaded_code import _loaded;"
        "print(*sorted(name for _, name in _loaded))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == sorted([*own_method_names(), *own_metric_names()])
