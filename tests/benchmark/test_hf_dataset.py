import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmark.atomic import checksum, checksums, read_record
from benchmark.errors import UserError
from benchmark.hf_dataset import export, public_name
from benchmark.plan_file import write_plan
from benchmark.store import Run
from tests.reports.made_up import PROMPTS, cell, make_run

FAILED, PENDING = ("textboost", "dog_b"), ("dreambooth", "dog_b")
READ = """
import json, sys
from datasets import load_dataset
rows = load_dataset("imagefolder", data_dir=sys.argv[1], split="train")
pixels = [row.pop("image").convert("RGB").tobytes().hex() for row in map(dict, rows)]
whole = load_dataset(sys.argv[1])
splits = {name: len(split) for name, split in whole.items()}
print(json.dumps([rows.remove_columns("image").to_list(), pixels, splits]))
"""


def made(folder, failed=(FAILED,), pending=(PENDING,), changes=None, **fields):
    cells = [
        cell(method, subject, **fields)
        for method in ("copy", "textboost", "dreambooth")
        for subject in ("dog_a", "dog_b")
    ]
    return make_run(folder, cells, failed, pending, **(changes or {}))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture
def own(run, tmp_path):
    """A copy of the run, to be harmed."""
    shutil.copytree(run.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def rows_of(folder):
    return pd.read_parquet(folder / "metadata.parquet")


def test_datasets_reads_every_picture_with_its_scores_offline(run, tmp_path):
    # Not `datasets` alone: this repository's folder of that name could be imported.
    pytest.importorskip(
        "datasets.load", reason="needs Hugging Face's datasets: pip install .[test]"
    )
    # Words that `datasets` takes for splits, in whatever could become part of a path.
    prompts = {"on-a-train": "a {subject} on a train", "test": "a {subject} in a test"}
    one = cell("textboost", "val", prompts=prompts)
    split_words = make_run(tmp_path / "words", [one])
    for case, wanted in ((run, 16), (split_words, 4)):
        out = tmp_path / "test" / f"{case.path.name}-eval"
        export(case, out)
        done = subprocess.run(
            [sys.executable, "-c", READ, str(out)],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        rows, pixels, splits = json.loads(done.stdout.splitlines()[-1])
        assert len(rows) == wanted
        assert splits == {"train": wanted}
        results = case.results()
        for row, pixel in zip(rows, pixels, strict=True):
            with Image.open(case.path / row["run_image"]) as picture:
                assert picture.convert("RGB").tobytes().hex() == pixel
            mine = results[results["image"] == row["run_image"]]
            for name in (
                "method",
                "preset",
                "subject",
                "prompt_id",
                "prompt",
                "seed",
                "train_seed",
            ):
                assert set(mine[name]) == {row[name]}
            assert row["class_noun"] == "dog"
            stated = {
                "/".join(x for x in names if isinstance(x, str)): value
                for *names, value in mine[["metric", "reference", "encoder", "value"]].values
            }
            assert len(stated) == 5
            assert {
                name: row[name] for name in row if "/" in name and name != "run_image"
            } == stated


def test_only_cells_that_are_done_are_in_it_and_the_others_counted(run, tmp_path):
    exported = export(run, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    pairs = set(zip(rows["method"], rows["subject"], strict=True))
    assert pairs == {
        *(("copy", "dog_a"), ("copy", "dog_b")),
        *(("textboost", "dog_a"), ("dreambooth", "dog_a")),
    }
    assert exported.contents.cells == {"done": 4, "failed": 1, "pending": 1}
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Of 6 planned cells" in text
    assert "4 are done, 1 failed and 1 are pending" in text


@pytest.mark.parametrize("dataset", ["dreambench", "photos-rex-0123456789ab"])
def test_no_photo_gets_in(dataset, tmp_path):
    photos = made(tmp_path / "run", dataset=dataset)
    exported = export(photos, tmp_path / "out")
    assert set(rows_of(tmp_path / "out")["method"]) == {"textboost", "dreambooth"}
    assert exported.contents.held_back == 8
    copies = {
        checksum(photos.image(c.key, id, seed))
        for c in photos.planned
        if c.method == "copy"
        for id in PROMPTS
        for seed in c.seeds
    }
    copies |= {checksum(photo) for photo in (photos.path / "photos").rglob("*.png")}
    there = checksums(tmp_path / "out")
    made_by_methods = {there[name] for name in rows_of(tmp_path / "out")["file_name"]}
    assert len(copies) > 4
    assert {n for n in there if n.endswith(".png")} == set(rows_of(tmp_path / "out")["file_name"])
    assert not copies & made_by_methods
    results = pd.read_parquet(tmp_path / "out" / "tables" / "results.parquet")
    assert "copy" in set(results["method"])


def test_the_tables_are_the_runs_own(run, tmp_path):
    export(run, tmp_path / "out")
    for name in ("results", "costs"):
        table = pd.read_parquet(tmp_path / "out" / "tables" / f"{name}.parquet")
        pd.testing.assert_frame_equal(table, pd.read_parquet(run.path / f"{name}.parquet"))
    # Messages of failures may hold paths and names of the user's machine.
    assert not (tmp_path / "out" / "tables" / "cells.parquet").exists()


def test_texts_are_of_the_type_that_datasets_4_knows(run, tmp_path):
    export(run, tmp_path / "out")
    for name in ("metadata", "tables/results", "tables/costs"):
        types = {str(field.type) for field in pq.read_schema(tmp_path / "out" / f"{name}.parquet")}
        assert "string" in types
        assert not types - {"string", "int64", "double"}


def test_a_backbone_in_a_folder_is_named_without_its_place(tmp_path):
    home = made(tmp_path / "run", backbone="/home/somebody/my-sd")
    export(home, tmp_path / "out")
    content = b"".join(f.read_bytes() for f in (tmp_path / "out").rglob("*") if f.is_file())
    assert set(rows_of(tmp_path / "out")["backbone"]) == {"my-sd"}
    assert b"somebody" not in content
    assert public_name("owner/model") == "owner/model"
    assert public_name("../models/sd") == "sd"


def test_again_gives_the_same_bytes_in_place_of_the_old(own, tmp_path):
    out = tmp_path / "deep" / "out"
    export(own, out)
    before = checksums(out)
    export(own, out)
    assert checksums(out) == before
    assert set(read_record(out / "export.json")["files"]) == set(before) - {"export.json"}
    state = own.folder(next(c.key for c in own.planned if c.method == "textboost"))
    (state.path / "cell.json").unlink()  # pending again
    export(own, out)
    gone = set(before) - set(checksums(out))
    assert len(gone) == 4
    assert all(name.startswith(f"images/{state.path.name}/") for name in gone)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_export_that_breaks_off_leaves_the_old_one(own, tmp_path):
    out = tmp_path / "exports" / "out"
    export(own, out)
    before = checksums(out)

    def stop(done, total):
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(own, out, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        export(own, out.with_name("new"), progress=stop)
    assert checksums(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def write(name):
    def change(out):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (write("README.md"), "README.md was changed since the export"),
        (write("notes.txt"), "notes.txt was put there by somebody else"),
        (write(".git/config"), "config was put there by somebody else"),
        (write("export.json"), "no export of a run"),
        (lambda out: (out / "export.json").unlink(), "no export of a run"),
    ],
)
def test_nothing_of_a_users_is_replaced(run, tmp_path, change, told):
    out = tmp_path / "out"
    export(run, out)
    change(out)
    before = checksums(out)
    with pytest.raises(UserError, match="give --out a new folder") as caught:
        export(run, out)
    assert told in str(caught.value)
    assert checksums(out) == before


def test_a_file_and_a_place_inside_the_run_are_refused(own, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        export(own, tmp_path / "file")
    for place in (own.path, own.path / "pictures"):
        with pytest.raises(UserError, match="the run's own folder"):
            export(own, place)
    assert (tmp_path / "file").read_text() == "mine"


def harmed(path):
    Image.new("RGB", (64, 64), "red").save(path)


def linked(path):
    target = path.rename(path.with_name("elsewhere.png"))
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (harmed, "is not as it was made"),
        (lambda path: path.unlink(), "is no file"),
        (linked, "is no file"),
    ],
)
def test_a_picture_that_is_not_as_it_was_made_is_refused(own, tmp_path, harm, told):
    made_by = next(c for c in own.planned if c.method == "textboost")
    path = own.image(made_by.key, "on-the-beach", 1)
    harm(path)
    with pytest.raises(UserError, match=told) as caught:
        export(own, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert "tbbench check" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_seed_that_leaves_the_cells_folder_is_refused(own, tmp_path):
    escaping = cell("textboost", "dog_a", seeds=["/../../../../secret"])
    state = own.folder(escaping.key)
    shutil.copytree(own.folder(own.planned[0].key).path, state.path)
    state.finish(escaping)
    write_plan(own.path, [escaping], {})
    (tmp_path / "secret.png").write_bytes(b"secret")
    with pytest.raises(UserError, match=r"plan\.json: .* is not the name of a file"):
        export(Run.open(own.path), tmp_path / "out")


def test_a_run_without_a_picture_to_show_is_refused(tmp_path):
    nothing = make_run(tmp_path / "a", [cell("base", "dog_a")], pending=[("base", "dog_a")])
    with pytest.raises(UserError, match="no cell is done yet"):
        export(nothing, tmp_path / "out")
    photos = make_run(tmp_path / "b", [cell("copy", "dog_a", dataset="dreambench")])
    with pytest.raises(UserError, match="the only pictures are those of copy"):
        export(photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.hf_dataset.free_bytes", lambda path: 1000)
    with pytest.raises(UserError, match=r"1\.0 kB free, and the export needs"):
        export(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_run_without_scores_of_single_pictures_has_no_score_columns(own, tmp_path):
    for one in own.planned:
        scores = own.folder(one.key).path / "scores.parquet"
        if not scores.is_file():
            continue
        frame = pd.read_parquet(scores)
        frame[frame["metric"] == "vendi"].to_parquet(scores, index=False)
        own.folder(one.key).finish(one)
    export(own, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert rows.columns[-1] == "run_image"
    assert len(rows) == 16
    assert "No metric of this run scores single" in (tmp_path / "out" / "README.md").read_text()
