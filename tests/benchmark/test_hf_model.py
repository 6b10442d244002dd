import shutil

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file

from benchmark.api import run as do_run
from benchmark.atomic import checksum, checksums, read_json, write_json
from benchmark.errors import UserError
from benchmark.hf_model import Wanted, export_model, find_cell
from benchmark.records import write_sealed
from benchmark.store import Run
from methods import model_card
from tests.reports.made_up import cell, make_run

OWN = "# `textboost` of `dog`\n\n- Prompt: `a photo of a <subject> dog`\n"
FAILED, PENDING = ("dreambooth", "dog_a"), ("dreambooth", "dog_b")


def keep_checkpoint(run, made, extra=None):
    """Gives a cell that is done a checkpoint, as a worker would have left it."""
    folder = run.folder(made.key)
    (folder.checkpoint / "new-tokens").mkdir(parents=True)
    weights = {"row": np.arange(6, dtype=np.float32)}
    save_file(weights, folder.checkpoint / "learned_embeds.safetensors")
    save_file(weights, folder.checkpoint / "new-tokens" / "crop.safetensors")
    (folder.checkpoint / model_card.FILE).write_text(OWN)
    for name, content in (extra or {}).items():
        (folder.checkpoint / name).write_text(content)
    write_sealed(
        folder.path / "checkpoint.json", {"files": checksums(folder.checkpoint), "costs": []}
    )
    folder.finish(made)


def made(folder, extra=None, **changes):
    cells = [
        cell(method, subject, **changes)
        for method in ("base", "textboost", "dreambooth")
        for subject in ("dog_a", "dog_b")
    ]
    run = make_run(folder, cells, [FAILED], [PENDING])
    for one in cells:
        if one.method == "textboost":
            keep_checkpoint(run, one, extra)
    return run


@pytest.fixture
def run(tmp_path):
    return made(tmp_path / "run")


@pytest.fixture
def one(run):
    return find_cell(run, Wanted(method="textboost", subject="dog_b"))


def test_the_folder_holds_the_checkpoint_and_a_card_whose_scores_are_the_runs(run, one, tmp_path):
    done = export_model(run, one, tmp_path / "out")
    there = checksums(tmp_path / "out")
    checkpoint = checksums(run.folder(one.key).checkpoint)
    assert there.keys() == {*checkpoint, "README.md"} - {model_card.FILE}
    assert {n: there[n] for n in there if n != "README.md"} == {
        n: checkpoint[n] for n in checkpoint if n != model_card.FILE
    }
    assert done.files == tuple(sorted(there))
    assert done.bytes == sum((tmp_path / "out" / n).stat().st_size for n in there)
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.text.startswith(f"\n{OWN}")
    assert card.data.instance_prompt == "a photo of a <subject> dog"
    table = pd.read_parquet(run.path / "results.parquet")
    mine = table[(table["method"] == "textboost") & (table["subject"] == "dog_b")]
    found = card.data.eval_results
    # Fidelity to two kinds of photo and diversity and Vendi by two encoders, alignment by one.
    assert len(found) == 9
    for result in found:
        rows = mine[
            (mine["metric"] == result.metric_type)
            & (mine["encoder"] == result.metric_args["encoder"])
            & (mine["reference"].fillna("") == result.metric_args.get("reference", ""))
        ]
        assert result.metric_value == pytest.approx(rows["value"].sum() / len(rows), abs=1e-12)
        assert result.metric_args["values"] == len(rows)
        assert result.dataset_config == "dog_b"
    assert "fidelity-ceiling" not in {result.metric_type for result in found}


@pytest.mark.slow
@pytest.mark.long
def test_what_a_run_trained_loads_from_the_folder_alone(small, tmp_path):
    scoring = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    do_run(small(scoring=scoring), out=tmp_path / "run", quiet=True)
    run = Run.open(tmp_path / "run")
    one = find_cell(run, Wanted())  # the one beside the control
    export_model(run, one, tmp_path / "out")
    shutil.rmtree(run.path / "cells")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.base_model is None
    assert card.data.license is None
    assert card.data.instance_prompt == "a photo of a <subject>"
    assert "textual_inversion" in card.data.tags
    results = pd.read_parquet(run.path / "results.parquet")
    mine = results[(results["method"] == "textual-inversion") & (results["metric"] == "fidelity")]
    wanted = mine.groupby("reference")["value"].mean().to_dict()
    found = {r.metric_args["reference"]: r.metric_value for r in card.data.eval_results}
    assert found == pytest.approx(wanted)
    assert str(tmp_path) not in card.content
    rows = load_file(tmp_path / "out" / "learned_embeds.safetensors")
    assert all(np.isfinite(row).all() for row in rows.values())
    code = card.text.split("```python\n")[1].split("```")[0]
    names = {"backbone": run.config.backbone, "folder": str(tmp_path / "out")}
    exec(code, names)
    assert "<subject>" in names["pipe"].tokenizer.get_vocab()


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def link(path):
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def link_folder(path):
    path.parent.symlink_to(path.parent.rename(path.parent.with_name(".elsewhere")))


@pytest.mark.parametrize(
    ("name", "harm", "told"),
    [
        ("learned_embeds.safetensors", flip, "is not as it was written"),
        (model_card.FILE, flip, "is not as it was written"),
        ("learned_embeds.safetensors", lambda path: path.unlink(), "is no file"),
        ("learned_embeds.safetensors", link, "is no file"),
        ("new-tokens/crop.safetensors", link_folder, "is no file"),
        ("strange.bin", lambda path: path.write_text("mine"), "belongs to no cell"),
    ],
)
def test_a_checkpoint_that_is_not_as_it_was_written_is_refused(
    run, one, tmp_path, name, harm, told
):
    path = run.folder(one.key).checkpoint / name
    harm(path)
    with pytest.raises(UserError, match=told) as caught:
        export_model(run, one, tmp_path / "deep" / "out")
    assert str(path) in str(caught.value)
    assert f"tbbench check {run.path} --repair" in str(caught.value)
    assert not (tmp_path / "deep" / "out").exists()
    assert not list((tmp_path / "deep").glob("*")) if (tmp_path / "deep").exists() else True


def test_a_record_that_was_changed_vouches_for_nothing(run, one, tmp_path):
    folder = run.folder(one.key)
    flip(folder.checkpoint / "learned_embeds.safetensors")
    record = read_json(folder.path / "cell.json")
    name = "checkpoint/learned_embeds.safetensors"
    record["artifacts"][name] = checksum(folder.path / name)
    write_json(folder.path / "cell.json", record)
    with pytest.raises(UserError, match=r"cell\.json is not as it was written"):
        export_model(run, one, tmp_path / "out")


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a\\b", "../cell.json"])
def test_a_recorded_name_that_leaves_the_checkpoint_is_refused(run, one, tmp_path, name):
    folder = run.folder(one.key)
    record = read_json(folder.path / "cell.json")
    record.pop("seal")
    record["artifacts"][f"checkpoint/{name}"] = "0" * 64
    write_sealed(folder.path / "cell.json", record)
    with pytest.raises(UserError, match="is not the name of a file"):
        export_model(run, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cell_from_before_checksums_goes_by_its_checkpoints_record(run, one, tmp_path):
    folder = run.folder(one.key)
    record = read_json(folder.path / "cell.json")
    record.pop("seal")
    write_sealed(folder.path / "cell.json", record | {"artifacts": None})
    export_model(run, one, tmp_path / "out")
    assert (tmp_path / "out" / "learned_embeds.safetensors").is_file()
    flip(folder.checkpoint / "learned_embeds.safetensors")
    with pytest.raises(UserError, match="is not as it was written"):
        export_model(run, one, tmp_path / "other")


def test_a_readme_of_the_checkpoints_own_gives_way_and_is_told(tmp_path):
    run = made(tmp_path / "run", {"readme.MD": "a template's"})
    one = find_cell(run, Wanted(method="textboost", subject="dog_a"))
    done = export_model(run, one, tmp_path / "out")
    assert done.replaced == ("readme.MD",)
    assert "readme.MD" not in done.files
    assert "a template's" not in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_an_empty_folder_is_filled_and_any_other_left_alone(run, one, tmp_path):
    (tmp_path / "empty").mkdir()
    export_model(run, one, tmp_path / "empty")
    before = checksums(tmp_path / "empty")
    with pytest.raises(UserError, match="is not empty; give --out a new folder"):
        export_model(run, one, tmp_path / "empty")
    assert checksums(tmp_path / "empty") == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        export_model(run, one, tmp_path / "file")
    for place in (run.path, run.path / "new"):
        with pytest.raises(UserError, match="the run's own folder"):
            export_model(run, one, place)


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    run, one, tmp_path, monkeypatch
):
    monkeypatch.setattr("benchmark.hf_model.free_bytes", lambda path: 1000)
    with pytest.raises(UserError, match=r"1\.0 kB free, and the checkpoint needs"):
        export_model(run, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (FAILED, r"failed; `tbbench run .*config\.toml --out .* --retry failed`"),
        (PENDING, r"is not done yet; `tbbench run .*config\.toml --out .*`"),
        (("base", "dog_a"), "has no checkpoint.*name another method: textboost, dreambooth"),
    ],
)
def test_a_cell_without_a_checkpoint_is_told_with_the_fix(run, tmp_path, pair, told):
    method, subject = pair
    with pytest.raises(UserError, match=told):
        export_model(run, find_cell(run, Wanted(None, method, None, subject)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted(), "4 cells are meant"),
        (Wanted(method="textboost"), r"2 cells are meant.*--subject.*: \w{16} \(textboost"),
        (Wanted(method="textbost"), "unknown method 'textbost'.*did you mean 'textboost'"),
        (Wanted(subject="cat"), "unknown subject 'cat'"),
        (Wanted(preset="papr"), "unknown preset 'papr'"),
        (Wanted(train_seed=7), "unknown train seed '7'"),
        (Wanted(method="base"), "has no checkpoint"),
        (Wanted(method="base", preset="toy"), "no cell is all of that"),
        (Wanted(key="zz"), "no cell's key begins with 'zz'"),
        (Wanted(key=""), "no cell's key begins with ''"),
        (Wanted(key="../.."), "no cell's key begins with"),
    ],
)
def test_what_is_no_one_cell_is_told(run, wanted, told):
    with pytest.raises(UserError, match=told):
        find_cell(run, wanted)


def test_a_cell_is_found_by_its_key_or_the_beginning_of_it(run, one):
    assert find_cell(run, Wanted(key=one.key)) == one
    short = next(
        one.key[:n]
        for n in range(1, 17)
        if sum(c.key.startswith(one.key[:n]) for c in run.planned) == 1
    )
    assert find_cell(run, Wanted(key=short)) == one
    assert find_cell(run, Wanted(key=short, subject="dog_b")) == one
    with pytest.raises(UserError, match="no cell is all of that"):
        find_cell(run, Wanted(key=short, subject="dog_a"))
