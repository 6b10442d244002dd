"""Every layout: the scores are those of the same pictures scored directly."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmark.atomic import read_record
from benchmark.metrics import score_images
from benchmark.records import write_sealed
from tests.benchmark.any_pictures.conftest import (
    METRICS,
    PROMPTS,
    SEEDS,
    SUBJECTS,
    TOY,
    WORLD,
    Score,
    assert_same_scores,
    direct_scores,
    drawn,
    textboost_folder,
    words,
)

PLACES = [(id, seed) for id in PROMPTS for seed in SEEDS]


def expected(subject: str, shift: int = 0) -> pd.DataFrame:
    pictures = {(id, seed): drawn(subject, id, seed + shift) for id, seed in PLACES}
    return direct_scores(subject, pictures)


def test_folders_as_textboost_writes_them_side_by_side(tmp_path: Path, score: Score) -> None:
    mine = textboost_folder(tmp_path / "mine")
    theirs = textboost_folder(tmp_path / "theirs", shift=7)
    done = score(mine, "--method", f"Their best={theirs}", *TOY)
    assert done.code == 0
    assert set(done.results["method"]) == {"mine", "Their best"}
    for subject in SUBJECTS:
        assert_same_scores(done.of("mine", subject), expected(subject))
        assert_same_scores(done.of("Their best", subject), expected(subject, 7))
    assert "Their best" in done.page
    assert "Their best" in done.out
    first = next(Path(done.run).glob("cells/*/images/red-1.png"))
    assert Image.open(first).size == (64, 64)


def test_the_pictures_are_copied_pixel_for_pixel(tmp_path: Path, score: Score) -> None:
    done = score(textboost_folder(tmp_path / "mine"), *TOY)
    rows = done.of("mine", "spotted_dog").dropna(subset="image")
    for row in rows.drop_duplicates("image").to_dict("records"):
        original = drawn("spotted_dog", row["prompt_id"], row["seed"])
        with Image.open(done.run / row["image"]) as copy:
            assert copy.tobytes() == original.tobytes()
    assert rows["image"].nunique() == len(PLACES)


def manifest_rows(folder: Path) -> list[dict[str, object]]:
    """Prompts in all three ways that they may be written."""
    ways = {"in-the-jungle": lambda subject: words(subject, "in-the-jungle")}
    ways["red"] = lambda subject: "a red {subject}" if subject == "spotted_dog" else "red"
    rows = []
    for number, (subject, id, seed) in enumerate(
        (subject, id, seed) for subject in SUBJECTS for id, seed in PLACES
    ):
        file = folder / "pictures" / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        drawn(subject, id, seed).save(file)
        rows.append(
            {
                "image": f"pictures/{file.name}",
                "subject": subject,
                "prompt": ways[id](subject),
                "seed": seed,
                "method": "one" if subject == SUBJECTS[0] else "two",
            }
        )
    return rows


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_names_files_methods_and_prompts(
    kind: str, tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = manifest_rows(tmp_path / "made")
    file = tmp_path / "made" / f"manifest.{kind}"
    if kind == "csv":
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pd.DataFrame(rows).astype({"seed": "float64"}).to_parquet(file)
    monkeypatch.chdir(tmp_path)  # paths are relative to the manifest, not to where one stands
    done = score(file.parent if kind == "csv" else file, *TOY)
    assert done.code == 0
    for method, subject in zip(("one", "two"), SUBJECTS, strict=True):
        assert_same_scores(done.of(method, subject), expected(subject))
        others = [name for name in SUBJECTS if name != subject]
        assert done.of(method, others[0]).empty


def test_a_manifest_without_methods_is_one_method(tmp_path: Path, score: Score) -> None:
    rows = [row for row in manifest_rows(tmp_path) if row.pop("method")]
    pd.DataFrame(rows).to_csv(tmp_path / "ours.csv", index=False)
    done = score("--method", f"mine={tmp_path / 'ours.csv'}", *TOY)
    assert done.code == 0
    assert set(done.results["method"]) == {"mine"}
    assert_same_scores(done.of("mine", SUBJECTS[1]), expected(SUBJECTS[1]))


def dreambench_plus(folder: Path, shift: int = 0) -> Path:
    """Two subjects, two prompts, two pictures each, numbered as DreamBench++ does."""
    for subject, (name, noun) in {
        "live_subject_animal_03_spotted_dog": ("spotted_dog", "dog"),
        "object_07_teapot": ("picnic_teapot", "teapot"),
    }.items():
        for number, id in enumerate(PROMPTS):
            for seed in SEEDS:
                stem = f"{number}_{seed}"
                for kind in ("src_image", "text", "tgt_image"):
                    (folder / kind / subject).mkdir(parents=True, exist_ok=True)
                photo = WORLD.subject(name).photo("00.png").load()
                photo.save(folder / "src_image" / subject / f"{stem}.png")
                text = f"A {noun}, number {number}"
                (folder / "text" / subject / f"{stem}.txt").write_text(f"{text}\n")
                picture = drawn(name, id, seed + shift)
                picture.save(folder / "tgt_image" / subject / f"{stem}.png")
    (folder / "negative_prompt.txt").write_text("")
    return folder


def test_dreambench_plus_brings_its_subjects_and_prompts(tmp_path: Path, score: Score) -> None:
    folders = [dreambench_plus(tmp_path / "blip"), dreambench_plus(tmp_path / "emu2", 3)]
    done = score(*folders, "--image-encoders", "toy-clip", "--strict")
    assert done.code == 0
    for method, shift in (("blip", 0), ("emu2", 3)):
        places = [(number, id, seed) for number, id in enumerate(PROMPTS) for seed in SEEDS]
        rows = [
            {"prompt_id": str(n), "prompt": f"A teapot, number {n}", "seed": seed, "image": ""}
            for n, _, seed in places
        ]
        direct = score_images(
            pd.DataFrame(rows),
            [drawn("picnic_teapot", id, seed + shift) for _, id, seed in places],
            [row["prompt"] for row in rows],
            [WORLD.subject("picnic_teapot").photo("00.png").load()],
            [],
            METRICS,
            ["toy-clip"],
            ["toy-clip"],
        )
        assert_same_scores(done.of(method, "object_07_teapot"), direct)
    assert set(done.results["reference"].dropna()) == {"seen"}
    assert set(done.problems["kind"]) == {"no-picture"}  # negative_prompt.txt, twice
    assert "A dog, number 1" in done.page


def test_a_run_of_ours_is_scored_with_other_metrics(tmp_path: Path, score: Score) -> None:
    folder = textboost_folder(tmp_path / "mine")
    first = score(folder, *TOY, "--metrics", "alignment", out=tmp_path / "first")
    assert set(first.results["metric"]) == {"alignment"}
    again = score(first.run, *TOY[2:], "--metrics", ",".join(METRICS), "--strict")
    assert again.code == 0
    for subject in SUBJECTS:
        assert_same_scores(again.of("mine", subject), expected(subject))
    assert set(again.results["dataset"]) == {"toyworld"}
    assert list(again.problems["kind"]) == []


def test_a_picture_that_is_not_as_the_run_made_it_is_told_and_not_scored(
    tmp_path: Path, score: Score
) -> None:
    """As opened and saved in an editor: it would be scored as the run's own method."""
    run = score(textboost_folder(tmp_path / "mine"), *TOY, out=tmp_path / "first").run
    edited = sorted(run.glob("cells/*/images/*.png"))[0]
    Image.new("RGB", (64, 64), "white").save(edited)
    again = score(run, *TOY[2:], out=tmp_path / "again")
    (altered,) = again.problems[again.problems["kind"] == "altered"].to_dict("records")
    assert altered["file"] == edited.relative_to(run).as_posix()
    assert altered["what"] == "another checksum than in cell.json"
    whole = len(SUBJECTS) * len(PROMPTS) * len(SEEDS)
    assert again.results["image"].nunique() == whole - 1


def test_pictures_of_a_cell_that_is_not_done_are_told_and_not_scored(
    tmp_path: Path, score: Score
) -> None:
    """As of a run that was stopped or had failures: they may be of several attempts."""
    run = score(textboost_folder(tmp_path / "mine"), *TOY, out=tmp_path / "first").run
    record = sorted(run.glob("cells/*/cell.json"))[0]
    write_sealed(record, read_record(record) | {"status": "failed"})
    again = score(run, *TOY[2:], out=tmp_path / "again")
    (told,) = again.problems[again.problems["kind"] == "unfinished"].to_dict("records")
    assert told["file"] == f"cells/{record.parent.name}"
    assert again.results["subject"].nunique() == len(SUBJECTS) - 1


def test_one_picture_for_several_seeds_is_told(tmp_path: Path, score: Score) -> None:
    """As by a generator that is seeded alike for all: its seeds say nothing."""
    folder = textboost_folder(tmp_path / "mine")
    first, second = (folder / f"seed{seed}" / SUBJECTS[0] for seed in SEEDS)
    for file in first.iterdir():
        (second / file.name).write_bytes(file.read_bytes())
    done = score(folder, *TOY)
    assert done.code == 0
    told = done.problems[done.problems["kind"] == "repeated"]
    assert sorted(told["prompt"]) == sorted(PROMPTS)
    assert set(told["seed"]) == {"1"}
    assert set(told["what"]) == {"the picture of seed 0"}
    assert "the same as another of their prompt" in done.out + done.err


def test_pictures_of_another_size_and_cropped_ones_are_told(tmp_path: Path, score: Score) -> None:
    """As methods whose pictures were made at 512 and at 1024, or cut from a sheet."""
    folder = textboost_folder(tmp_path / "mine")
    one, other = sorted((folder / "seed0" / SUBJECTS[0]).iterdir())
    for file, size in ((one, (32, 32)), (other, (64, 40))):
        with Image.open(file) as picture:
            resized = picture.resize(size)
        resized.save(file)
    done = score(folder, *TOY)
    assert done.code == 0
    told = done.problems[done.problems["kind"].isin(["size", "cropped"])]
    assert sorted(zip(told["kind"], told["what"], strict=True)) == [
        ("cropped", "64 by 40 pixels; the square in the middle is scored"),
        ("size", "32 by 32 pixels, not 64 by 64"),
        ("size", "64 by 40 pixels, not 64 by 64"),
    ]
    assert "pictures of another size than most" in done.out + done.err
    assert done.results["image"].nunique() >= 8  # none is left out


@pytest.mark.slow
def test_a_run_keeps_its_methods_presets_and_backbone(tmp_path: Path, small, score: Score) -> None:
    from rich.console import Console

    from benchmark.runner import run_benchmark

    config = small()
    outcome = run_benchmark(config, tmp_path / "run", Console(quiet=True))
    done = score(tmp_path / "run", "--image-encoders", "toy-clip", "--device", "cpu", "--strict")
    assert done.code == 0
    rows = done.results
    assert set(rows["method"]) == {"base", "textual-inversion"}
    assert set(rows.loc[rows["method"] == "textual-inversion", "preset"]) == {"toy"}
    assert set(rows["backbone"]) == {config.backbone}
    assert set(rows["protocol"]) == {"dpm++/2/7.5"}
    cell = next(cell for cell in outcome.run.planned if cell.method == "base")
    pictures = {}
    for id in cell.prompts:
        for seed in cell.seeds:
            with Image.open(outcome.run.image(cell.key, id, seed)) as opened:
                pictures[id, seed] = opened.convert("RGB")
    assert_same_scores(done.of("base", "spotted_dog"), direct_scores("spotted_dog", pictures))
    renamed = score("--method", f"x={tmp_path / 'run'}", out=tmp_path / "other")
    assert renamed.code == 2
    assert "a run of 2 methods" in renamed.err
