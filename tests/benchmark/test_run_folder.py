"""Folders that are a run's, those that are not, and one that is gone while it is worked on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark import runner
from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.executors.chosen import Chosen
from benchmark.run_folder import check_folder, told_if_removed
from benchmark.runner import run_benchmark

REMOVED = "was removed or moved while it was worked on"


@pytest.mark.parametrize("left", [(), ("photos/dog/0.png",), ("environment.json", ".lock")])
def test_what_a_removal_left_goes_on(tmp_path: Path, left: tuple[str, ...]) -> None:
    for name in ("cells/0123456789abcdef/log.txt", *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    check_folder(tmp_path)


@pytest.mark.parametrize("foreign", ["cells/biology.txt", "thesis.tex"])
def test_cells_of_another_kind_are_refused(tmp_path: Path, foreign: str) -> None:
    (tmp_path / "cells" / "0123456789abcdef").mkdir(parents=True)
    (tmp_path / foreign).touch()
    with pytest.raises(UserError, match="a folder without a run"):
        check_folder(tmp_path)


def test_photos_alone_are_no_run(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="a folder without a run"):
        check_folder(tmp_path)


def test_what_stumbles_elsewhere_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plan.json").touch()
    with pytest.raises(FileNotFoundError, match="photo"), told_if_removed(tmp_path):
        raise FileNotFoundError("photo")


@pytest.mark.parametrize("stumbled", [None, FileNotFoundError("cell.json"), UserError("no run")])
def test_a_run_whose_folder_goes_says_so(
    small: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stumbled: Exception | None,
) -> None:
    path = tmp_path / "run"

    def remove(*_: Any, **__: Any) -> None:
        shutil.rmtree(path)
        if stumbled:
            raise stumbled

    monkeypatch.setattr(runner, "choose_executor", lambda *_, **__: Chosen(["cpu"], remove))
    with pytest.raises(UserError, match=REMOVED):
        run_benchmark(small(), path, Console(quiet=True))
