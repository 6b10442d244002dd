"""Real workers that go wrong in every way: what is recorded, and what a later call does about it.

`tests/benchmark/faulty.py` is the method, as a plug-in that is found like any other.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.config import RunConfig, toml_text
from benchmark.store import Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "hf_" + "notARealToken0123456789"


@pytest.fixture
def faults(small: Callable[..., RunConfig], tmp_path: Path) -> Callable[..., None]:
    """Writes mine.toml with a cell for each of the faults named, and the plug-in beside it."""
    plugin = tmp_path / "plugin"
    about = plugin / "faulty-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "benchmark" / "faulty.py", plugin)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[tbbench.methods]\nfaulty = faulty:Faulty\n")

    def write(*names: str, **changes: Any) -> None:
        methods = [{"name": "faulty", "preset": name} for name in names]
        config = small(methods=[*methods, *changes.pop("more", [])], **changes)
        (tmp_path / "mine.toml").write_text(toml_text(config))

    return write


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `tbbench run mine.toml`."""
    paths = os.pathsep.join([str(folder / "plugin"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.cli", "run", "mine.toml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "SOME_TOKEN": TOKEN, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    """Preset (or method, where there is none) -> the cell's record."""
    info = Run.open(folder / "runs" / "small").cell_info()
    return {c["preset"] if c["method"] == "faulty" else c["method"]: c for c in info}


@pytest.mark.long
def test_every_failure_ends_its_cell_alone_and_is_recorded(faults, tmp_path: Path) -> None:
    kinds = {
        "segfault": ("SIGSEGV", "train"),
        "kill": ("SIGKILL", "train"),
        "memory": ("OutOfMemory", "train"),
        "nan-loss": ("NotFiniteLoss", "train"),
        "exit": ("WorkerExit", "train"),
        "secret": ("ValueError", "train"),
        "nan-picture": ("NotFinitePicture", "generate"),
    }
    faults(*kinds, "black", "none", more=[{"name": "copy"}, {"name": "oracle"}, {"name": "base"}])
    code, out, err = run(tmp_path)
    assert code == 1
    found = cells(tmp_path)
    assert {n: (found[n]["kind_of_failure"], found[n]["stage"]) for n in kinds} == kinds
    assert {n for n, cell in found.items() if cell["status"] == "done"} == {
        *("black", "none", "copy", "oracle", "base")
    }
    assert found["nan-loss"]["message"] == "step 2: the loss is nan; lower the rate"
    assert "Segmentation fault" in found["segfault"]["log_tail"]
    assert "Traceback" in found["memory"]["log_tail"]
    assert "the system ran out of memory" in found["kill"]["message"]
    # Black pictures count, and are told of; those of controls are none.
    black = found["black"]["flags"]["one_colour"]
    assert black == {"count": 1, "names": ["in-the-jungle-0.png"]}
    assert not any(found[name]["flags"] for name in ("none", "copy", "oracle", "base"))
    assert "1 picture is of one single colour" in out
    for line in (
        "failed: faulty (nan-loss) · spotted_dog · seed 0: train: NotFiniteLoss: step 2",
        "failed: faulty (exit) · spotted_dog · seed 0: train: WorkerExit: the worker ended with",
        "7 of 12 cells failed; the same command tries 4 of them again, --retry failed all",
    ):
        assert line in err
    # The secret was printed by the method itself: it is in no record, and no page.
    assert found["secret"]["message"] == "refused with ***"
    assert "my token is ***" in found["secret"]["log_tail"]
    folder = tmp_path / "runs" / "small"
    for file in [*folder.glob("cells/*/cell.json"), *folder.glob("report/*.html")]:
        assert TOKEN not in file.read_text()
    page = (folder / "report" / "index.html").read_text()
    assert "NotFiniteLoss" in page
    assert "step 2: the loss is nan" in page
    assert "my token is ***" in page
    assert "of one single colour" in page


def attempts(folder: Path) -> dict[str, int]:
    return {name: cell["attempts"] for name, cell in cells(folder).items()}


@pytest.mark.long
def test_what_is_tried_again_is_what_was_asked_for(faults, tmp_path: Path) -> None:
    faults("none", "exit", "nan-loss")
    assert run(tmp_path)[0] == 1
    assert attempts(tmp_path) == {"none": 1, "exit": 1, "nan-loss": 1}
    code, _, err = run(tmp_path, "--retry", "none")
    assert code == 1
    assert attempts(tmp_path) == {"none": 1, "exit": 1, "nan-loss": 1}
    again = "the same command with --retry interrupted tries 1 of them again, --retry failed all"
    assert f"2 of 3 cells failed; {again}" in err
    code, out, err = run(tmp_path)
    assert code == 1
    assert attempts(tmp_path) == {"none": 1, "exit": 2, "nan-loss": 1}
    assert "3 cells, 1 of them done before, 1 failed before and not tried again" in out
    assert "failed: faulty (nan-loss)" in err
    assert run(tmp_path, "--retry", "failed")[0] == 1
    assert attempts(tmp_path) == {"none": 1, "exit": 3, "nan-loss": 2}


@pytest.mark.long
def test_a_cell_that_hangs_is_ended_and_the_next_one_done(faults, tmp_path: Path) -> None:
    faults("endless", "none")
    code, _, err = run(tmp_path, "--cell-timeout", "15")
    assert code == 1
    found = cells(tmp_path)
    # On a very busy machine the other one may run out of time as well.
    assert (found["endless"]["kind_of_failure"], found["none"]["attempts"]) == ("Timeout", 1)
    assert ": Timeout: the cell was not done after 15 s" in err
    assert run(tmp_path, "--retry", "none")[0] == 1
    assert found == cells(tmp_path)


@pytest.mark.long
def test_after_enough_failures_nothing_more_is_started(faults, tmp_path: Path) -> None:
    faults("nan-loss", "memory", "none")
    code, _, err = run(tmp_path, "--max-failures", "1")
    assert code == 1
    found = cells(tmp_path)
    assert [found[n]["status"] for n in ("nan-loss", "memory", "none")] == [
        *("failed", "pending", "pending")
    ]
    assert "2 cells were not started: after 1 failure (--max-failures)" in err


@pytest.mark.long
def test_cells_done_again_come_out_the_same_or_it_is_told(faults, tmp_path: Path) -> None:
    inversion = {"name": "textual-inversion", "preset": "toy"}
    scoring = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    folder = tmp_path / "runs" / "small"
    faults(more=[inversion, {"name": "base"}], scoring=scoring)
    code, out, err = run(tmp_path, "--verify-determinism", "2", "--deterministic")
    assert code == 0, err
    assert "2 of 2 cells came out the same, bit for bit" in out
    told = json.loads((folder / "determinism.json").read_text())
    assert (told["equal"], told["deterministic"], len(told["cells"])) == (True, True, 2)
    for cell in told["cells"]:
        parts = cell["parts"]
        assert all((p["different"], p["largest"]) == (0, 0) for p in parts.values())
        assert (parts["pictures"]["compared"], parts["scores"]["compared"] > 0) == (4, True)
    by_label = {cell["label"].split()[0]: cell["parts"] for cell in told["cells"]}
    assert by_label["textual-inversion"]["losses"]["compared"] == 2
    assert by_label["textual-inversion"]["checkpoint"]["compared"] >= 1
    worker = Run.open(folder).environment["worker"]["determinism"]
    assert worker["deterministic_algorithms"]
    assert worker["cublas_workspace"] == ":4096:8"
    assert not list(folder.glob(".again-*"))
    # And now one that draws its weights and a pixel anew every time.
    faults("unsteady", "put", more=[{"name": "copy"}], scoring=scoring)
    code, out, err = run(tmp_path, "--verify-determinism", "9", "--deterministic")
    assert code == 1
    assert "1 of 2 cells came out differently" in out
    told = json.loads((folder / "determinism.json").read_text())
    parts = {cell["label"].split()[1]: cell["parts"] for cell in told["cells"]}["(unsteady)"]
    assert parts["losses"]["different"] == 0
    assert (parts["checkpoint"]["different"], parts["pictures"]["different"]) == (1, 1)
    assert 0 < parts["checkpoint"]["largest"] < 2
    assert 0 < parts["pictures"]["largest"] <= 255
    assert parts["scores"]["different"] > 0
    assert "train: RuntimeError: put_" in err
    assert "does not have a deterministic implementation" in err
