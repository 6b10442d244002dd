"""`tbbench score` as a command: done once, done again, and asked wrongly."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmark.any_pictures import cells
from benchmark.atomic import read_json, read_record
from benchmark.environment_words import software
from benchmark.plan_file import write_plan
from benchmark.records import write_sealed
from tests.benchmark.any_pictures.conftest import TOY, Score, textboost_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return textboost_folder(tmp_path / "mine")


def times(run: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}


def test_the_same_command_again_does_nothing(
    folder: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = score(folder, *TOY)
    assert "attention" in read_json(first.run / "environment.json")["worker"]
    before = times(first.run)
    monkeypatch.setattr(cells, "score_pictures", lambda *_: pytest.fail("scored twice"))
    again = score(folder, *TOY)
    assert again.code == 0
    assert again.out.splitlines()[-1] == first.out.splitlines()[-1]
    locks = {path for path in times(again.run) if path.endswith(".lock")}
    assert {p: t for p, t in times(again.run).items() if p not in locks} == {
        p: t for p, t in before.items() if p not in locks
    }


def test_changed_pictures_are_scored_again_and_the_others_not(
    folder: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = score(folder, *TOY).of("mine", "spotted_dog")
    file = folder / "seed0" / "spotted_dog" / "a_red_dog.png"
    Image.new("RGB", (64, 64), "white").save(file)
    scored = []
    whole = cells.score_pictures

    def watch(run, cell_folder, cell, *others) -> None:
        scored.append(cell.subject)
        whole(run, cell_folder, cell, *others)

    monkeypatch.setattr(cells, "score_pictures", watch)
    again = score(folder, *TOY)
    assert "1 cell that was scored here before and is asked for no more stays" in again.out
    assert scored == ["spotted_dog"]
    after = again.of("mine", "spotted_dog")
    keys = ["metric", "reference", "prompt_id", "seed"]
    both = before.merge(after, on=keys, suffixes=(" before", " after")).dropna(subset="seed")
    changed = both[both["value before"] != both["value after"]]
    assert len(both) == 4 * 3
    assert set(zip(changed["prompt_id"], changed["seed"], strict=True)) == {("red", 0)}
    assert len(changed) == 3  # seen, unseen, alignment


def test_a_command_that_another_took_the_folder_from_shows_nothing_of_its_own(
    folder: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cells.score_pictures

    def meanwhile(run, *others) -> None:
        whole(run, *others)
        write_plan(run, [], {})

    monkeypatch.setattr(cells, "score_pictures", meanwhile)
    done = score(folder, *TOY)
    assert done.code == 2
    assert "another command took over" in done.err


def test_what_was_scored_by_other_code_stays_on_record(folder: Path, score: Score) -> None:
    """As after an update, before the rest is scored."""
    first = score(folder, *TOY)
    file = first.run / "environment.json"
    known = read_record(file)
    write_sealed(file, {**known, "code": "0" * 16})
    Image.new("RGB", (64, 64), "white").save(folder / "seed0" / "spotted_dog" / "a_red_dog.png")
    score(folder, *TOY)
    assert len(software(read_record(file))) == 2


def test_a_cell_that_fails_is_told_and_tried_again(
    folder: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run, cell_folder, cell, *others) -> None:
        if cell.subject == "spotted_dog":
            raise RuntimeError("no memory\nleft")
        whole(run, cell_folder, cell, *others)

    whole = cells.score_pictures
    with monkeypatch.context() as patch:
        patch.setattr(cells, "score_pictures", fail)
        done = score(folder, *TOY)
    assert done.code == 1
    assert "spotted_dog" in done.err
    assert "RuntimeError: no memory left" in done.err
    assert "no memory left" in done.page
    again = score(folder, *TOY)
    assert again.code == 0
    assert set(again.results["subject"]) == {"spotted_dog", "picnic_teapot"}


def test_the_run_says_what_it_is_and_no_more(folder: Path, score: Score) -> None:
    done = score(folder, *TOY)
    about = json.loads((done.run / "run.json").read_text())
    assert about["title"] == "Pictures made elsewhere: mine (toy world)"
    text = (done.run / "config.toml").read_text()
    for made_up in ("guidance", "sampler", "precision", "learning"):
        assert made_up not in text
    assert (done.run / "cells").is_dir()
    assert all(json.loads(f.read_text()) == [] for f in done.run.glob("cells/*/cost.json"))
    assert "Nothing was measured." in done.page


def test_a_run_of_another_kind_is_never_overwritten(
    folder: Path, tmp_path: Path, score: Score
) -> None:
    first = score(folder, *TOY)
    write_sealed(first.run / "run.json", read_record(first.run / "run.json") | {"kind": None})
    before = times(first.run)
    assert "is a run of another kind" in score(folder, *TOY).err
    assert "is what is to be scored" in score(first.run, *TOY).err
    assert "is a folder without a run" in score(folder, *TOY, out=folder).err
    assert times(first.run) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to score; give a folder or manifest"),
        (["nowhere"], "nowhere does not exist"),
        (["--method", "mine"], "--method 'mine': expected NAME=DIR"),
        (["--method", "=mine"], "cannot name a method"),
        (["{root}"], "mine, other in it would do: give each of them"),
        (["{root}/mine", "{root}/mine"], "both have a method 'mine'"),
        (["{root}/mine", "--dataset", "toywrld"], "did you mean 'toyworld'?"),
        (["{root}/mine", "--dataset", "toyworld", "--split", "n9"], "unknown split 'n9'"),
        (["{root}/mine", *TOY, "--metrics", "fidelty"], "did you mean 'fidelity'?"),
        (["{root}/mine", *TOY, "--text-encoders", "clip"], "unknown encoder 'clip'"),
        (["{root}/mine", *TOY, "--seeds", "a"], "--seeds 'a': expected whole numbers"),
        (["{root}/mine", *TOY, "--subjects", "spoted_dog"], "did you mean 'spotted_dog'?"),
        (["{root}/mine", *TOY, "--device", "gpu"], "device: expected auto, cpu, cuda"),
        (["{root}/table.csv"], "unknown column 'subject'"),
        (["{root}/picture.png"], "is no folder and no .csv or .parquet manifest"),
        (["{root}/broken.parquet"], "cannot be read as a manifest"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, score: Score
) -> None:
    for name in ("mine", "other"):
        textboost_folder(tmp_path / "root" / name)
    (tmp_path / "root" / "table.csv").write_text("image,sujet,prompt,seed\n")
    (tmp_path / "root" / "picture.png").write_text("")
    (tmp_path / "root" / "broken.parquet").write_text("none")
    done = score(*(word.replace("{root}", str(tmp_path / "root")) for word in arguments))
    assert done.code == 2
    assert message in done.err
    assert done.err.splitlines()[-1].startswith("tbbench: ")
    assert not done.run.exists()


def test_runs_of_other_data_sets_are_not_mixed(folder: Path, tmp_path: Path, score: Score) -> None:
    run = score(folder, *TOY, out=tmp_path / "run").run
    done = score("--method", f"other={folder}", run, "--dataset", "dreambench")
    assert done.code == 2
    assert "dreambench/n1 and toyworld/n1" in done.err
    beside = score("--method", f"other={folder}", run, *TOY[2:])
    assert beside.code == 0  # without being told, the pictures belong to the run's data set
    assert set(beside.results["method"]) == {"mine", "other"}


def test_other_subjects_photos_are_there_for_a_metric_that_wants_them(
    folder: Path, score: Score
) -> None:
    done = score(folder, *TOY, "--metrics", "copying")
    assert done.code == 0
    shares = done.results.set_index("metric").loc["copied", "value"]
    assert set(shares.between(0, 1)) == {True}
    cells_ = [read_json(path)["cell"] for path in done.run.glob("cells/*/cell.json")]
    for cell in cells_:
        assert len(cell["others"]) > 20
        assert not any(other.startswith(f"{cell['subject']}/") for other in cell["others"])


def test_a_metric_that_needs_the_model_is_refused(folder: Path, score: Score) -> None:
    done = score(folder, "--dataset", "toyworld", "--metrics", "fidelity,pres")
    assert done.code == 2
    assert "'pres' asks the trained model for pictures without the subject" in done.err
