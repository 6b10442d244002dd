import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from benchmark.atomic import checksum, checksums, new_folder, read_record, write_json
from benchmark.collect import COST_COLUMNS, RESULT_COLUMNS, collect
from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.metrics.evidence import scores
from benchmark.owner import OwnerLostError
from benchmark.pictures import read_picture, thumbnail, write_picture, write_thumbnails
from benchmark.plan import Cell, plan
from benchmark.records import seal_holds
from benchmark.run_folder import check_folder
from benchmark.runner import describe_run
from benchmark.store import Run, cell_folder

Small = Callable[..., RunConfig]


def finish(run: Path, cell: Cell, value: float) -> None:
    """A cell's files as a worker leaves them, with one score."""
    folder = cell_folder(run, cell.key)
    folder.begin(cell)
    rows = [{"metric": "vendi", "value": value}, {"metric": "diversity", "seed": 1, "value": 2.0}]
    scores(rows).assign(encoder="e").to_parquet(folder.path / "scores.parquet", index=False)
    cost = {"stage": "score", "measure": "wall_seconds", "value": 1.0, "unit": "s"}
    write_json(folder.path / "cost.json", [cost | {"kind": "measured"}])
    folder.finish(cell)


@pytest.fixture
def run(small: Small, tmp_path: Path) -> Run:
    path = tmp_path / "run"
    config = small(subjects=["spotted_dog", "rain_boot"])
    describe_run(config, path, plan(config), {})
    return Run.open(path)


def tables(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.glob("*.parquet")}


def test_tables_do_not_depend_on_the_order_of_the_work(run: Run) -> None:
    done = []
    for order in (run.planned[:3], run.planned[2::-1]):
        for cell in order:
            finish(run.path, cell, value=len(cell.subject))
        assert collect(run)
        done.append(tables(run))
        shutil.rmtree(run.path / "cells")
        (run.path / ".collected.json").unlink()
    assert done[0] == done[1]
    assert set(done[0]) == {"results.parquet", "costs.parquet", "cells.parquet"}


def test_of_two_who_collect_the_one_that_saw_more_has_the_last_word(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark import collect as module

    looked, go_on, real = threading.Event(), threading.Event(), module.frames

    def slow(*arguments: Any) -> Any:
        made = real(*arguments)
        if not looked.is_set():
            looked.set()
            assert go_on.wait(30)
        return made

    monkeypatch.setattr(module, "frames", slow)
    first = threading.Thread(target=collect, args=(run,))
    first.start()
    assert looked.wait(30)  # it has seen no cell done
    finish(run.path, run.planned[0], value=1.0)
    second = threading.Thread(target=collect, args=(run,))
    second.start()
    second.join(0.5)
    go_on.set()
    for thread in (first, second):
        thread.join(30)
    assert list(run.cells().status).count("done") == 1


def test_tables_have_the_published_columns(run: Run) -> None:
    finish(run.path, run.planned[0], 1.5)
    collect(run)
    assert tuple(run.results().columns) == RESULT_COLUMNS
    assert tuple(run.costs().columns) == COST_COLUMNS
    assert str(run.results().dtypes["seed"]) == "Int64"
    whole = run.results().set_index("metric").loc["vendi"]
    assert whole["value"] == 1.5
    assert whole[["prompt_id", "seed", "image", "reference"]].isna().all()


def test_every_planned_cell_has_its_row(run: Run) -> None:
    finish(run.path, run.planned[0], 1.0)
    failed = cell_folder(run.path, run.planned[1].key)
    failed.begin(run.planned[1])
    failed.fail(run.planned[1], "SIGKILL", "killed")
    collect(run)
    rows = run.cells().set_index("key")
    assert len(rows) == 4
    assert rows.status.value_counts().to_dict() == {"done": 1, "failed": 1, "pending": 2}
    assert rows.loc[run.planned[1].key, ["kind_of_failure", "attempts"]].tolist() == ["SIGKILL", 1]


def test_collecting_again_is_cheap_until_a_cell_changes(run: Run) -> None:
    finish(run.path, run.planned[0], 1.0)
    assert collect(run)
    assert not collect(run)
    finish(run.path, run.planned[1], 1.0)
    assert collect(run)
    (run.path / "costs.parquet").unlink()
    assert collect(run)


def test_damaged_tables_are_made_again(run: Run) -> None:
    finish(run.path, run.planned[0], 1.0)
    collect(run)
    whole = tables(run)
    (run.path / "results.parquet").write_bytes(whole["results.parquet"][:50])
    assert collect(run)
    assert tables(run) == whole


@pytest.mark.parametrize("name", ["scores.parquet", "cost.json", "cell.json"])
@pytest.mark.parametrize("content", [None, b"[]"])
def test_a_cell_whose_outcome_is_damaged_is_not_done(
    run: Run, name: str, content: bytes | None
) -> None:
    for cell in run.planned[:2]:
        finish(run.path, cell, 1.0)
    folder = cell_folder(run.path, run.planned[0].key)
    assert folder.done()
    if content is None:
        (folder.path / name).unlink()
    else:
        (folder.path / name).write_bytes(content)
    assert not folder.done()
    assert folder.state()["status"] == "pending"
    collect(run)
    assert set(run.results().method) == {run.planned[1].method}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": [{"method": "base"}]}'])
def test_a_damaged_plan_is_one_line(run: Run, content: str) -> None:
    (run.path / "plan.json").write_text(content)
    with pytest.raises(UserError, match="damaged or of another version; start the run again"):
        Run.open(run.path)


def test_a_run_is_described_anew_when_its_title_changes(run: Run, small: Small) -> None:
    config = small(subjects=["spotted_dog", "rain_boot"])
    assert not describe_run(config, run.path, plan(config), {})[0]
    renamed = config.model_copy(update={"title": "Another"})
    assert describe_run(renamed, run.path, plan(config), {})[0]
    assert Run.open(run.path).about["title"] == "Another"


def test_a_run_without_scores_has_empty_tables(run: Run) -> None:
    collect(run)
    assert len(run.results()) == 0
    assert tuple(run.results().columns) == RESULT_COLUMNS


def test_cells_that_are_no_longer_planned_stay_but_do_not_count(run: Run, small: Small) -> None:
    for cell in run.planned:
        finish(run.path, cell, 1.0)
    config = small(subjects=["rain_boot"])
    describe_run(config, run.path, plan(config), {})
    again = Run.open(run.path)
    assert collect(again)
    assert set(again.results().subject) == {"rain_boot"}
    assert again.config.subjects == ("rain_boot",)
    assert all(cell_folder(run.path, cell.key).done() for cell in run.planned)


def test_a_run_says_what_its_cells_are(run: Run) -> None:
    info = run.cell_info()
    assert [c["key"] for c in info] == [c.key for c in run.planned]
    assert info[1]["settings"]["steps"] == 2
    assert info[1]["status"] == "pending"
    photos = run.photos("rain_boot")
    assert [path.name for path in photos["seen"]] == ["seen-00.png"]
    assert len(photos["unseen"]) == 4


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        Run.open(tmp_path)
    (tmp_path / "precious.txt").touch()
    with pytest.raises(UserError, match="a folder without a run; give --out another one"):
        check_folder(tmp_path)


def test_a_configuration_that_was_changed_in_its_run_is_refused(run: Run) -> None:
    """A report would state settings that nothing was made with."""
    file = run.path / "config.toml"
    before = file.read_text()
    file.write_text(before.replace("steps = 2", "steps = 400"))
    assert file.read_text() != before
    with pytest.raises(UserError, match=r"config\.toml was changed since .*; put it back, or"):
        Run.open(run.path)
    file.write_text(before)
    assert Run.open(run.path).config == run.config


def test_a_run_whose_record_was_changed_or_lost_is_refused(run: Run) -> None:
    """It holds warnings that a report would lack."""
    file = run.path / "run.json"
    before = file.read_text()
    file.write_text(before.replace('"title": "', '"title": "Another '))
    for harm in ("changed", "lost"):
        if harm == "lost":
            file.unlink()
        with pytest.raises(UserError, match=r"run\.json is missing or not as it was written"):
            Run.open(run.path)
    file.write_text(before)
    assert Run.open(run.path).about == run.about


def test_another_process_sees_that_a_cell_is_busy(run: Run) -> None:
    folder = cell_folder(run.path, run.planned[0].key)
    code = (
        "import sys; from pathlib import Path; from benchmark.store import CellFolder;"
        "print(CellFolder(Path(sys.argv[1])).busy())"
    )

    def seen() -> str:
        command = [sys.executable, "-c", code, str(folder.path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with folder.lock():
        assert seen() == "True"
    assert seen() == "False"


def test_a_done_cell_knows_everything_that_lasts_of_it(run: Run) -> None:
    cell = run.planned[0]
    folder = cell_folder(run.path, cell.key)
    for name in ("losses.json", "images/a-0.png", "images/.a-0.png.x1", "probes/class/000.png"):
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text(name)
    with new_folder(folder.checkpoint) as fresh:
        (fresh / "text_encoder").mkdir()
        (fresh / "text_encoder" / "w.safetensors").write_text("w")
    write_json(folder.path / "checkpoint.json", {"files": checksums(folder.checkpoint)})
    folder.log.write_text("goes on growing")
    finish(run.path, cell, 1.0)
    record = read_record(folder.path / "cell.json")
    known = {**record["outcome"], **record["artifacts"]}
    assert set(known) == {
        *("losses.json", "images/a-0.png", "probes/class/000.png", "checkpoint.json"),
        *("checkpoint/text_encoder/w.safetensors", "scores.parquet", "cost.json"),
    }
    assert all(checksum(folder.path / name) == value for name, value in known.items())
    assert seal_holds(folder.path / "cell.json")


def test_a_cell_with_another_checkpoint_than_it_recorded_is_not_finished(run: Run) -> None:
    folder = cell_folder(run.path, run.planned[0].key)
    with new_folder(folder.checkpoint) as fresh:
        (fresh / "w.safetensors").write_text("w")
    write_json(folder.path / "checkpoint.json", {"files": checksums(folder.checkpoint)})
    (folder.checkpoint / "w.safetensors").write_text("another process's")
    with pytest.raises(ValueError, match="checkpoint changed while"):
        finish(run.path, run.planned[0], 1.0)
    assert not folder.done()


@pytest.mark.parametrize("name", ["plan.json", "run.json", "predictions.json", "cell.json"])
def test_what_a_newer_version_made_is_refused_by_name(run: Run, name: str) -> None:
    finish(run.path, run.planned[0], 1.0)
    write_json(run.path / "predictions.json", {"version": 1, "trainings": {}})
    folder = run.folder(run.planned[0].key).path if name == "cell.json" else run.path
    for version in (0, None):
        content = read_record(folder / name) | {"version": version}
        write_json(folder / name, {k: v for k, v in content.items() if v is not None})
        collect(Run.open(run.path))
        assert Run.open(run.path).folder(run.planned[0].key).done()  # older ones are read
    for version in (99, "2"):
        write_json(folder / name, content | {"version": version})
        with pytest.raises(UserError, match=rf"newer textboost-bench \({name} version {version}"):
            collect(Run.open(run.path))


def test_a_failure_does_not_take_the_place_of_what_another_process_did(run: Run) -> None:
    cell = run.planned[0]
    folder = cell_folder(run.path, cell.key)
    code = (
        "import sys; from pathlib import Path; from benchmark import owner\n"
        "with owner.hold(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "mine\n"
        folder.begin(cell)
        folder.fail(cell, "SIGKILL", "my worker was killed")
        assert folder.state()["status"] == "pending"
        other.communicate()
    finish(run.path, cell, 1.0)
    folder.fail(cell, "SIGKILL", "my worker was killed")
    assert folder.done()
    assert not cell_folder(run.path, run.planned[1].key).done()
    cell_folder(run.path, run.planned[1].key).fail(run.planned[1], "SIGKILL", "so it was")
    assert run.folder(run.planned[1].key).state()["message"] == "so it was"


def test_whoever_lost_a_cell_writes_nothing_of_it(run: Run) -> None:
    cell = run.planned[0]
    folder = cell_folder(run.path, cell.key)
    with folder.lock() as mine:
        folder.begin(cell)
        before = (folder.path / "cell.json").read_bytes()
        (mine.file.parent / "000002").write_text(mine.file.read_text())
        for write in (
            lambda: folder.begin(cell),
            lambda: folder.finish(cell),
            lambda: folder.fail(cell, "ValueError", "too late"),
        ):
            with pytest.raises(OwnerLostError):
                write()
        assert (folder.path / "cell.json").read_bytes() == before


def test_the_owner_clears_away_what_was_left_half_written(run: Run) -> None:
    cell = run.planned[0]
    folder = cell_folder(run.path, cell.key)
    half = [".cell.json.ab12cd34", "images/.a-0.png.ab12cd34", ".checkpoint.ab12cd34/new/w.bin"]
    for name in [*half, "images/a-0.png", "log.txt"]:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).touch()
    folder.begin(cell)
    assert all((folder.path / name).exists() for name in half)  # whoever owns it may be at it
    with folder.lock() as mine:
        folder.begin(cell)
        assert mine.still()
    left = {path.name for path in folder.path.rglob("*")}
    assert left == {"cell.json", "images", "a-0.png", "log.txt", ".owner", "000001"}


def test_pictures_know_what_they_were_made_from(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write_picture(path, Image.new("RGB", (4, 4), (1, 2, 3)), "abc", {"prompt": "ein Hund ☃"})
    image = read_picture(path, "abc")
    assert image is not None
    assert image.getpixel((0, 0)) == (1, 2, 3)
    assert read_picture(path, "another") is None
    path.write_bytes(path.read_bytes()[:-30])
    assert read_picture(path, "abc") is None
    assert read_picture(tmp_path / "absent.png") is None


def test_thumbnails_are_square_and_follow_the_split(run: Run, small: Small) -> None:
    assert thumbnail(Image.new("RGB", (900, 600))).size == (256, 256)
    assert thumbnail(Image.new("RGB", (90, 60))).size == (60, 60)
    write_thumbnails(run.path, plan(small(subjects=["rain_boot"], split="n1-3")))
    photos = run.photos("rain_boot")
    assert [path.name for path in photos["seen"]] == ["seen-03.png"]
    assert "unseen-00.png" in [path.name for path in photos["unseen"]]


def test_reading_a_table_gives_a_frame(run: Run) -> None:
    collect(run)
    assert isinstance(run.cells(), pd.DataFrame)
