"""A photo that is not the recorded one fails the cells that look at it, and no others."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from benchmark import runner
from benchmark.cell import Circumstances, run_cell
from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.executors import Job, Watcher
from benchmark.paths import data_root
from benchmark.plan import Cell, plan
from benchmark.runner import Outcome, Patience, run_benchmark
from benchmark.store import cell_folder
from tests.benchmark.test_dreambench import flip_byte, write_set

Small = Callable[..., RunConfig]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a data set of two subjects, `cup` and `hen`; cells run in this process."""
    facts, root = write_set(tmp_path / "set")
    (facts / "splits").mkdir()
    (facts / "splits" / "n1.csv").write_text("subject,photo\ncup,00.jpg\nhen,00.jpg\n")
    shutil.copy(data_root() / "dreambench" / "prompts.toml", facts)
    facts.rename(tmp_path / "dreambench")
    monkeypatch.setattr("benchmark.dreambench.data_root", lambda: tmp_path)
    monkeypatch.setenv("DREAMBENCH_ROOT", str(root))
    monkeypatch.setattr(runner, "run_jobs", in_this_process, raising=False)
    monkeypatch.setattr("benchmark.executors.local.run_jobs", in_this_process)
    return root


def in_this_process(jobs: list[Job], devices: list[str], watcher: Watcher, **_: object) -> None:
    for job in jobs:
        watcher.started(job)
        report = partial(watcher.progressed, job)
        run_cell(Path(job.run), Cell.from_json(job.cell), Circumstances(report=report))
        watcher.ended(job, 0)


def run(small: Small, path: Path, **changes: object) -> Outcome:
    patience = Patience(changes.pop("retry", "interrupted"))
    given = {
        "dataset": "dreambench",
        "subjects": ["cup", "hen"],
        "prompts": ["in-the-jungle"],
        "methods": [{"name": "copy"}],
    }
    config = small(**given | changes)
    return run_benchmark(config, path / "run", Console(quiet=True), patience=patience)


def no_picture(path: Path) -> None:
    path.write_text("not a picture")


@pytest.mark.parametrize(
    ("damage", "photo"),
    [(flip_byte, "cup/00.jpg"), (no_picture, "cup/01.jpg"), (Path.unlink, "cup/01.jpg")],
)
def test_the_cells_of_its_subject_fail_and_the_others_are_done(
    small: Small, photos: Path, tmp_path: Path, damage: Callable[[Path], None], photo: str
) -> None:
    damage(photos / photo)
    outcome = run(small, tmp_path)
    cup, hen = outcome.run.cell_info()
    assert (cup["status"], cup["kind_of_failure"], cup["stage"]) == (
        *("failed", "DamagedPhoto", "start"),
    )
    assert photo in cup["message"]
    assert hen["status"] == "done"
    assert [label for label, _ in outcome.failures] == ["copy · cup · seed 0"]
    # Mended, it is done when it is asked for.
    shutil.rmtree(photos)
    shutil.copytree(write_set(tmp_path / "again")[1], photos)
    assert len(run(small, tmp_path).failures) == 1
    assert run(small, tmp_path, retry="failed").failures == []


def test_a_run_of_which_no_cell_can_be_done_is_refused_at_once(
    small: Small, photos: Path, tmp_path: Path
) -> None:
    flip_byte(photos / "cup" / "01.jpg")
    with pytest.raises(UserError, match=r"cup/01\.jpg .*is damaged or another one"):
        run(small, tmp_path, subjects=["cup"])
    assert not (tmp_path / "run").exists()


def test_a_photo_that_a_metric_needs_fails_the_cell_before_it_trains(
    small: Small, photos: Path, tmp_path: Path
) -> None:
    """Copying looks at other subjects' photos as well."""
    scoring = {"metrics": ["copying"], "image_encoders": ["efficientnet-lite0"]}
    inversion = {"name": "textual-inversion", "preset": "toy"}
    (photos / "hen" / "01.jpg").unlink()
    with pytest.raises(UserError, match=r"hen/01\.jpg"):
        run(small, tmp_path, scoring=scoring)  # it hits both subjects
    cells = plan(
        small(
            dataset="dreambench",
            subjects=["cup"],
            prompts=["in-the-jungle"],
            methods=[inversion],
            scoring=scoring,
        )
    )
    assert not run_cell(tmp_path, cells[0], Circumstances())
    folder = cell_folder(tmp_path, cells[0].key)
    state = folder.state()
    assert (state["kind_of_failure"], state["stage"]) == ("DamagedPhoto", "start")
    assert not folder.checkpoint.exists()
