"""A cell that fails says why, and whether it is tried again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.plan import plan
from benchmark.store import cell_folder
from methods import get_method
from tests.benchmark.conftest import INVERSION, trained_cell

Small = Callable[..., RunConfig]


def test_an_error_is_recorded_in_one_line_and_tried_again(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)

    def fail(*arguments: object) -> None:
        raise RuntimeError("no space\nleft")

    with monkeypatch.context() as patch:
        patch.setattr(type(get_method("textual-inversion")), "train", fail)
        assert not run_cell(tmp_path, cell, Circumstances())
    state = folder.state()
    assert (state["status"], state["kind_of_failure"]) == ("failed", "RuntimeError")
    assert (state["stage"], state["message"]) == ("train", "no space left")
    assert "Traceback" in capfd.readouterr().err
    assert run_cell(tmp_path, cell, Circumstances())
    again = folder.state()
    assert (again["status"], again["attempts"]) == ("done", 2)
    assert [again[name] for name in ("kind_of_failure", "message", "stage")] == [None] * 3


def test_training_that_diverges_is_named_with_its_step(small: Small, tmp_path: Path) -> None:
    hot = INVERSION[0] | {"settings": {"learning_rate": 1e30}}
    (cell,) = plan(small(methods=[hot], training={"steps": 5}))
    assert not run_cell(tmp_path, cell, Circumstances())
    state = cell_folder(tmp_path, cell.key).state()
    assert (state["kind_of_failure"], state["stage"]) == ("NotFiniteLoss", "train")
    assert re.match(r"step [2-5]: the loss is (nan|inf); ", state["message"])


@pytest.mark.parametrize(
    ("kind", "known", "tried"),
    [
        ("ValueError", 0, False),
        ("ValueError", 1, True),
        ("ValueError", None, True),
        ("SIGKILL", 0, True),
    ],
)
def test_a_cell_that_another_run_has_just_failed_is_not_tried_again(
    small: Small, tmp_path: Path, kind: str, known: int | None, tried: bool
) -> None:
    """Unless that was planned, or the failure came from outside."""
    (cell,) = plan(small(methods=[{"name": "copy"}]))
    folder = cell_folder(tmp_path, cell.key)
    folder.begin(cell)
    folder.fail(cell, kind, "no", "train")
    assert run_cell(tmp_path, cell, Circumstances(attempts=known)) is tried
    assert folder.state()["attempts"] == 1 + tried


def test_a_method_that_makes_too_few_pictures_is_named(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = plan(small(methods=[{"name": "copy"}]))
    kind = type(get_method("copy"))
    make = kind.images
    monkeypatch.setattr(kind, "images", lambda *given: make(*given)[1:])
    assert not run_cell(tmp_path, cell, Circumstances())
    assert cell_folder(tmp_path, cell.key).state()["message"] == "copy made 3 pictures of 4"


def test_a_method_that_leaves_torch_otherwise_fails_before_anything_is_scored(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the precision from here on: no score of its own or of a later cell could be trusted."""
    kind = type(get_method("textual-inversion"))
    images, left = kind.images, torch.autocast("cpu", dtype=torch.bfloat16)

    def careless(self, *arguments):
        found = images(self, *arguments)
        if not torch.is_autocast_enabled("cpu"):
            left.__enter__()
        return found

    monkeypatch.setattr(kind, "images", careless)
    cell = trained_cell(small)
    folder = cell_folder(tmp_path, cell.key)
    try:
        assert not run_cell(tmp_path, cell, Circumstances())
    finally:
        left.__exit__(None, None, None)
    state = folder.state()
    assert (state["kind_of_failure"], state["stage"]) == ("MethodError", "generate")
    assert "left torch's autocast at ['cpu']" in state["message"]
    assert not (folder.path / "scores.parquet").exists()
