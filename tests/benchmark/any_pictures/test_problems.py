"""Nothing is skipped silently: whatever is missing, unclear or damaged is listed by name."""

import html
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmark.subjects import Prompt
from benchmark.toyworld.dataset import ToyWorld
from tests.benchmark.any_pictures.conftest import (
    PROMPTS,
    SEEDS,
    SUBJECTS,
    TOY,
    Score,
    assert_same_scores,
    direct_scores,
    drawn,
    textboost_folder,
)
from tests.benchmark.any_pictures.test_layouts import dreambench_plus

DUE = ("--subjects", ",".join(SUBJECTS), "--prompts", ",".join(PROMPTS), "--seeds", "0,1")
DOG = "spotted_dog"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return textboost_folder(tmp_path / "mine")


def kinds(problems: pd.DataFrame) -> dict[str, list[str]]:
    return {str(kind): list(rows["file"]) for kind, rows in problems.groupby("kind")}


def test_nothing_is_wrong_with_a_whole_folder(folder: Path, score: Score) -> None:
    done = score(folder, *TOY, *DUE, "--strict")
    assert (done.code, done.err) == (0, "")
    assert done.problems.empty
    # The one for browsers without scripts is on every page.
    assert done.page.count('<p class="note">') == done.page.count('<noscript><p class="note">') == 1


def test_what_is_missing_of_the_full_grid_is_listed(folder: Path, score: Score) -> None:
    (folder / "seed1" / DOG / "a_red_dog.png").unlink()
    done = score(folder, *TOY, *DUE)
    assert done.code == 0
    assert done.problems.to_dict("records") == [
        {
            "kind": "missing",
            "method": "mine",
            "subject": DOG,
            "prompt": "red",
            "seed": "1",
            "file": "",
            "what": "there is no such picture",
        }
    ]
    assert f"{DOG}, prompt and seeds: red 1" in done.err
    assert "1 of the pictures that there should be are missing (mine: 1)" in done.page
    left = {(id, s): drawn(DOG, id, s) for id in PROMPTS for s in SEEDS if (id, s) != ("red", 1)}
    assert_same_scores(done.of("mine", DOG), direct_scores(DOG, left))


def test_without_being_told_everything_in_the_data_set_is_due(folder: Path, score: Score) -> None:
    done = score(folder, *TOY)
    missing = done.problems[done.problems["kind"] == "missing"]
    assert len(missing) == 10 * 25 * 2 - 8
    assert "mine, not one picture of: tiger_cat (50)" in done.err
    assert len(score(folder, *TOY, "--seeds", "0,1,2").problems) == 10 * 25 * 3 - 8


def test_names_nobody_knows_are_listed(folder: Path, score: Score) -> None:
    seed = folder / "seed0"
    shutil.copytree(seed / DOG, seed / "spoted_dog")
    (seed / DOG / "a_red_dog.png").rename(seed / DOG / "a_dog_that_is_red.png")
    # A prompt for objects alone: known, but not due from a dog.
    drawn(DOG, "red", 0).save(seed / DOG / "a_dog_with_a_wheat_field_in_the_background.png")
    (folder / "best").mkdir()
    (seed / "grid.png").write_bytes((seed / DOG / "a_dog_in_the_jungle.png").read_bytes())
    (seed / DOG / "notes.txt").write_text("")
    done = score(folder, *TOY, *DUE)
    assert done.code == 0
    assert kinds(done.problems) == {
        "missing": [""],
        "unknown-subject": [
            "seed0/spoted_dog/a_dog_in_the_jungle.png",
            "seed0/spoted_dog/a_red_dog.png",
        ],
        "unknown-prompt": [
            "seed0/spotted_dog/a_dog_that_is_red.png",
            "seed0/spotted_dog/a_dog_with_a_wheat_field_in_the_background.png",
        ],
        "stray": ["best", "seed0/grid.png"],
        "no-picture": ["seed0/spotted_dog/notes.txt"],
    }
    assert "did you mean 'spotted_dog'?" in done.err
    for name in ("a_dog_that_is_red.png", "grid.png", "notes.txt", "mine · best"):
        assert name in done.err


def test_of_two_files_for_one_picture_neither_is_scored(folder: Path, score: Score) -> None:
    drawn(DOG, "red", 9).save(folder / "seed0" / DOG / "a_red_dog.PNG".replace("PNG", "webp"))
    done = score(folder, *TOY, *DUE)
    assert kinds(done.problems) == {
        "ambiguous": ["seed0/spotted_dog/a_red_dog.png", "seed0/spotted_dog/a_red_dog.webp"]
    }
    rows = done.of("mine", DOG)
    assert rows[(rows["prompt_id"] == "red") & (rows["seed"] == 0)].empty


def test_a_name_that_fits_two_prompts_is_neither(
    folder: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ToyWorld.prompts
    monkeypatch.setattr(
        ToyWorld,
        "prompts",
        lambda self, live: [*known(self, live), Prompt("underscored", "a red_{subject}")],
    )
    done = score(folder, *TOY, *DUE)
    ambiguous = done.problems[done.problems["kind"] == "ambiguous"]
    assert set(ambiguous["what"]) == {
        "'a_red_dog' fits several prompts: red, underscored",
        "'a_red_teapot' fits several prompts: red, underscored",
    }
    assert set(done.results["prompt_id"].dropna()) == {"in-the-jungle"}


def test_files_that_are_no_whole_picture_are_listed_by_name(folder: Path, score: Score) -> None:
    seed = folder / "seed0" / DOG
    (seed / "a_red_dog.png").write_text("no picture")
    whole = (seed / "a_dog_in_the_jungle.png").read_bytes()
    (seed / "a_dog_in_the_jungle.png").write_bytes(whole[: len(whole) // 2])
    Image.new("I;16", (8, 8)).save(folder / "seed1" / DOG / "a_red_dog.png")
    done = score(folder, *TOY, *DUE)
    assert done.code == 0
    assert kinds(done.problems) == {
        "unreadable": [
            "seed0/spotted_dog/a_dog_in_the_jungle.png",
            "seed0/spotted_dog/a_red_dog.png",
            "seed1/spotted_dog/a_red_dog.png",
        ]
    }
    left = {("in-the-jungle", 1): drawn(DOG, "in-the-jungle", 1)}
    assert_same_scores(done.of("mine", DOG), direct_scores(DOG, left))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_lossy_files_are_scored_with_a_warning(suffix: str, tmp_path: Path, score: Score) -> None:
    """Trap 9: JPEGs skipped in silence, or scored without a word."""
    folder = textboost_folder(tmp_path / "mine", suffix=".jpg")
    for file in list(folder.rglob("*.jpg")):
        file.rename(file.with_suffix(suffix))  # what counts is what the file holds
    done = score(folder, *TOY, *DUE, "--strict")
    assert done.code == 0
    assert "8 of 8 scored pictures come from lossy files (JPEG)" in done.page
    assert "8 pictures from lossy files" in done.err
    pictures = {}
    for id, name in (("in-the-jungle", "a_dog_in_the_jungle"), ("red", "a_red_dog")):
        for seed in SEEDS:
            with Image.open(folder / f"seed{seed}" / DOG / f"{name}{suffix}") as opened:
                pictures[id, seed] = opened.convert("RGB")
    assert_same_scores(done.of("mine", DOG), direct_scores(DOG, pictures))


def test_lossless_webp_is_no_lossy_file(tmp_path: Path, score: Score) -> None:
    folder = textboost_folder(tmp_path / "mine")
    for lossless, name in ((True, "a_red_dog"), (False, "a_dog_in_the_jungle")):
        file = folder / "seed0" / DOG / f"{name}.png"
        with Image.open(file) as opened:
            opened.save(file.with_suffix(".webp"), lossless=lossless)
        file.unlink()
    done = score(folder, *TOY, *DUE)
    assert kinds(done.problems) == {"lossy": ["seed0/spotted_dog/a_dog_in_the_jungle.webp"]}


def test_a_picture_is_turned_upright_and_its_transparency_told(folder: Path, score: Score) -> None:
    red = folder / "seed0" / DOG / "a_red_dog.png"
    turned = drawn(DOG, "red", 0).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(red, exif=exif)
    jungle = folder / "seed0" / DOG / "a_dog_in_the_jungle.png"
    clear = drawn(DOG, "in-the-jungle", 0).convert("RGBA")
    clear.putpixel((0, 0), (*clear.getpixel((0, 0))[:3], 9))
    clear.save(jungle)
    done = score(folder, *TOY, *DUE)
    assert kinds(done.problems) == {"transparent": ["seed0/spotted_dog/a_dog_in_the_jungle.png"]}
    whole = {(id, seed): drawn(DOG, id, seed) for id in PROMPTS for seed in SEEDS}
    assert_same_scores(done.of("mine", DOG), direct_scores(DOG, whole))


def test_warnings_are_text_in_the_page(folder: Path, score: Score) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    drawn(DOG, "red", 0).save(folder / "seed0" / DOG / name)
    done = score("--method", f"<b>mine</b>={folder}", *TOY, *DUE)
    assert done.code == 0
    assert name not in done.page
    assert "<b>mine</b>" not in done.page
    assert html.escape(name) in done.page


def test_strict_lists_and_scores_nothing(folder: Path, score: Score) -> None:
    (folder / "seed1" / DOG / "a_red_dog.png").write_text("")
    done = score(folder, *TOY, *DUE, "--strict")
    assert done.code == 2
    assert "seed1/spotted_dog/a_red_dog.png" in done.err
    assert done.err.splitlines()[-1].startswith("tbbench: 1 problems, listed above; mend them")
    assert not done.run.exists()


def test_a_method_of_which_nothing_can_be_scored_fails(folder: Path, score: Score) -> None:
    broken = textboost_folder(folder.parent / "broken")
    for file in broken.rglob("*.png"):
        file.write_text("")
    done = score(folder, broken, *TOY, *DUE)
    assert done.code == 1
    assert "failed: broken: none of its pictures could be scored" in done.err
    assert set(done.results["method"]) == {"mine"}
    alone = score(broken, *TOY, *DUE, out=folder.parent / "alone")
    assert alone.code == 1
    assert not alone.run.exists()


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def test_names_never_lead_out_of_the_run(tmp_path: Path, folder: Path, score: Score) -> None:
    rows = [
        ("seed0/spotted_dog/a_red_dog.png", DOG, "red", 0, "../../escaped"),
        ("seed0/spotted_dog/a_red_dog.png", "../../escaped", "red", 0, "a"),
        ("seed0/spotted_dog/a_red_dog.png", DOG, "../../escaped", 0, "a"),
        ("seed0/spotted_dog/a_red_dog.png", DOG, "red", "../../1", "a"),
        ("seed0/spotted_dog/a_red_dog.png", DOG, "red", 1, "line\nbreak"),
    ]
    columns = ["image", "subject", "prompt", "seed", "method"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "m.csv", index=False)
    before = everything(tmp_path)
    done = score(folder / "m.csv", *TOY, out=tmp_path / "deep" / "er" / "scored")
    assert done.code == 1  # nothing of method `a` can be scored
    assert set(done.results["method"]) == {"../../escaped"}
    made = everything(tmp_path) - before
    assert {name for name in made if not name.startswith("deep/er/scored/")} == {
        "deep",
        "deep/er",
        "deep/er/scored",
    }
    found = done.problems[done.problems["kind"] != "missing"]
    assert list(found["kind"]) == ["unknown-subject", "unknown-prompt", "bad-row", "bad-row"]


def test_incomplete_rows_are_listed(folder: Path, score: Score) -> None:
    good = "seed0/spotted_dog/a_red_dog.png,spotted_dog,red,0"
    lines = [
        "image,subject,prompt,seed",
        good,
        "nowhere.png,spotted_dog,red,1",
        ",spotted_dog,red,2",
        "seed0/spotted_dog/a_red_dog.png,spotted_dog,red,minus",
        "seed0/spotted_dog/a_red_dog.png,spotted_dog,a dog, in red,3",
        good,
    ]
    (folder / "m.csv").write_text("\n".join([*lines[:-1], ""]))
    done = score(folder / "m.csv", *TOY, "--subjects", DOG, "--prompts", "red", "--seeds", "0")
    assert done.code == 0
    assert kinds(done.problems) == {
        "unreadable": ["nowhere.png (m.csv, row 3)"],
        "bad-row": ["m.csv, row 4", "m.csv, row 5", "m.csv, row 6"],
    }
    (folder / "m.csv").write_text("\n".join(lines))
    assert score(folder / "m.csv", *TOY).code == 1  # the one good row is there twice


def test_dreambench_plus_without_its_other_halves(tmp_path: Path, score: Score) -> None:
    folder = dreambench_plus(tmp_path / "blip")
    dog, teapot = "live_subject_animal_03_spotted_dog", "object_07_teapot"
    (folder / "tgt_image" / dog / "0_1.png").unlink()
    for seed in SEEDS:
        (folder / "text" / dog / f"1_{seed}.txt").unlink()
    drawn("picnic_teapot", "red", 0).save(folder / "src_image" / teapot / "1_1.png")
    done = score(folder, "--image-encoders", "toy-clip")
    assert done.code == 0
    assert kinds(done.problems) == {
        "missing": [""],
        "unknown-prompt": [f"tgt_image/{dog}/1_{seed}.png" for seed in SEEDS],
        "ambiguous": [f"src_image/{teapot}"],
        "no-reference": [f"tgt_image/{teapot}/{n}_{seed}.png" for n in (0, 1) for seed in SEEDS],
        "no-picture": ["negative_prompt.txt"],
    }
    assert set(done.results["subject"]) == {dog}


def test_texts_that_differ_for_one_number_are_unclear(tmp_path: Path, score: Score) -> None:
    folder = dreambench_plus(tmp_path / "blip")
    (folder / "text" / "object_07_teapot" / "0_1.txt").write_text("Something else")
    done = score(folder, "--image-encoders", "toy-clip")
    found = done.problems[done.problems["kind"] == "ambiguous"]
    assert list(found["what"]) == ["prompt 0 has 2 different texts: 0_0.txt, 0_1.txt"]
    rows = done.of("blip", "object_07_teapot")
    assert set(rows["prompt_id"].dropna()) == {"1"}
