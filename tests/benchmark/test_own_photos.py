import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.config import RunConfig, load_config, parse_config, toml_text
from benchmark.config_photos import Photos
from benchmark.errors import DamagedPhotoError, UserError
from benchmark.own_photos import about, is_name, open_photos, register
from benchmark.plan import check_ready, plan
from benchmark.same_picture import same_pictures
from benchmark.store import Run

Small = Callable[..., RunConfig]


def picture(path: Path, seed: int, size: tuple[int, int] = (40, 30), **options: Any) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    photos = tmp_path / "My Dog"
    photos.mkdir()
    for seed, name in enumerate(("a.png", "b.jpg", "c.webp")):
        picture(photos / name, seed)
    (photos / ".DS_Store").write_bytes(b"x")
    return photos


def described(folder: Path, **changes: Any) -> Photos:
    return Photos(folder=str(folder), class_noun="dog", **changes)


def test_the_first_photo_trains_and_the_others_are_held_out(folder: Path, small: Small) -> None:
    config = small(
        dataset="photos", subjects="all", photos=described(folder, descriptor="corgi").model_dump()
    )
    cells = plan(config)
    assert {cell.subject for cell in cells} == {"my_dog"}
    assert {tuple(cell.seen) for cell in cells} == {("a.png",)}
    assert {tuple(cell.unseen) for cell in cells} == {("b.jpg", "c.webp")}
    assert (cells[0].class_noun, cells[0].descriptor, cells[0].live) == ("dog", "corgi", True)
    check_ready(cells)


def test_its_name_follows_all_that_is_known_of_it(folder: Path) -> None:
    first = register(described(folder)).name
    assert is_name(first)
    assert open_photos(first).name == first
    others = [
        register(described(folder, **change)).name
        for change in (
            {"descriptor": "corgi"},
            {"live": False},
            {"train_photo": "b.jpg"},
            {"name": "rex"},
        )
    ]
    picture(folder / "b.jpg", 99)
    names = {first, *others, register(described(folder)).name}
    assert len(names) == 6
    moved = folder.rename(folder.parent / "elsewhere")
    assert register(described(moved, name="my_dog")).name in names


def test_pictures_are_upright_and_rgb(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture(folder / "d.jpg", 4, exif=exif)
    Image.new("LA", (20, 10), (7, 255)).save(folder / "e.png")
    photos = {p.name: p.load() for p in register(described(folder)).subject("my_dog").photos}
    assert photos["d.jpg"].size == (30, 40)
    assert photos["e.png"].mode == "RGB"


def test_a_photo_changed_after_the_plan_is_refused(folder: Path) -> None:
    dataset = register(described(folder))
    picture(folder / "b.jpg", 50)
    with pytest.raises(DamagedPhotoError, match=r"b\.jpg has changed since the run was planned"):
        open_photos(dataset.name).subject("my_dog")


def unreadable(folder: Path) -> None:
    (folder / "d.jpg").write_bytes(b"no picture")


def heic(folder: Path) -> None:
    (folder / "d.HEIC").write_bytes(b"x")


def text(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def folders(folder: Path) -> None:
    (folder / "more").mkdir()


def twice(folder: Path) -> None:
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes())


def saved_again(folder: Path) -> None:
    scene = Image.fromarray(np.random.default_rng(7).integers(0, 255, (6, 8, 3), dtype=np.uint8))
    photo = scene.resize((400, 300), Image.Resampling.BICUBIC)
    photo.save(folder / "d.png")
    photo.resize((200, 150)).save(folder / "e.jpg", quality=60)


def one_stem(folder: Path) -> None:
    picture(folder / "a.jpg", 5)


def odd_name(folder: Path) -> None:
    picture(folder / "a+b.jpg", 5)


def long_name(folder: Path) -> None:
    picture(folder / f"{'a' * 240}.jpg", 5)


def sixteen_bits(folder: Path) -> None:
    Image.fromarray(np.full((32, 32), 40_000, np.uint16)).save(folder / "d.png")


def pages(folder: Path) -> None:
    one, two = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    one.save(folder / "d.tif", save_all=True, append_images=[two])


def cut_out(folder: Path) -> None:
    Image.new("RGBA", (32, 32), (200, 0, 0, 0)).save(folder / "d.png")


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unreadable, r"d\.jpg: no picture, or damaged from the start; mend or remove it"),
        (sixteen_bits, r"d\.png: pixels of kind I;16; save it with 8 bits per channel; mend"),
        (pages, r"d\.tif: 2 frames in one file; save the one that counts"),
        (cut_out, r"d\.png: some pixels are transparent.*; save it on a background"),
        (heic, r"d\.HEIC: HEIC is not read; save it as JPEG or PNG"),
        (text, r"notes\.txt is no photo"),
        (folders, r"more is a folder"),
        (twice, r"a\.png and d\.png are the same file"),
        (saved_again, r"d\.png and e\.jpg are one picture, saved twice; remove one"),
        (one_stem, r"have one name; rename one"),
        (odd_name, r"rename 'a\+b\.jpg'"),
        (long_name, r"is longer than 200 bytes; rename the photo"),
        (emptied, r"holds no photos"),
    ],
)
def test_what_is_no_photo_is_refused_by_its_name(
    folder: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message):
        register(described(folder))


@pytest.mark.parametrize("subject", ["red_cartoon", "dog3", "dog6", "vase"])
def test_real_photos_are_the_same_as_themselves_alone(subject: str) -> None:
    """Of DreamBench: the two pairs that are most alike, and those that saving changes most."""
    root = os.environ.get("DREAMBENCH_ROOT")
    if not root:
        pytest.skip("DREAMBENCH_ROOT is not set: it names the folder of DreamBench's photos")
    images = {}
    for path in sorted((Path(root) / subject).glob("*.jpg")):
        with Image.open(path) as opened:
            images[path.name] = opened.convert("RGB")
    assert len(images) > 3
    assert same_pictures(images) is None
    for name, image in images.items():
        buffer = io.BytesIO()
        image.resize((image.width // 4, image.height // 4)).save(buffer, "JPEG", quality=20)
        assert same_pictures({**images, "again": Image.open(buffer)}) == (name, "again")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_photo": "b.png"}, r"unknown photo 'b.png' in .*did you mean 'b.jpg'"),
        ({"folder": "/nowhere/at/all"}, "cannot be read"),
        ({"folder": "/"}, "no name can be made"),
    ],
)
def test_a_key_that_fits_no_folder(folder: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        register(Photos(**{"folder": str(folder), "class_noun": "dog"} | changes))


@pytest.mark.parametrize(
    ("key", "value"),
    [("class_noun", "{subject}"), ("descriptor", "two  spaces"), ("name", "../up"), ("name", "A")],
)
def test_words_and_names_are_checked(folder: Path, key: str, value: str) -> None:
    overrides = [f"photos.{k}={json.dumps(v)}" for k, v in described(folder)]
    overrides.append(f"photos.{key}={json.dumps(value)}")
    with pytest.raises(UserError, match=rf"photos\.{key}: expected"):
        load_config("dreambench-toy", [o for o in overrides if not o.endswith("null")])


def test_the_table_and_the_data_set_go_together(folder: Path) -> None:
    with pytest.raises(UserError, match=r"needs a \[photos\] table"):
        plan(load_config("dreambench-toy", ['dataset="photos"']))
    there = [f"photos.folder={json.dumps(str(folder))}", 'photos.class_noun="dog"']
    with pytest.raises(UserError, match="the table goes with dataset"):
        plan(load_config("dreambench-toy", there))


def test_what_was_guessed_is_said(folder: Path) -> None:
    lines = about(described(folder), register(described(folder)))
    assert lines[0].startswith("prompts: DreamBench's for live subjects, guessed from 'dog'")
    assert lines[1] == "trains on a.png; 2 other photos are held out"
    for name in ("b.jpg", "c.webp"):
        (folder / name).unlink()
    lamp = Photos(folder=str(folder), class_noun="desk lamp", live=False)
    said = about(lamp, register(lamp))
    assert said[0] == "prompts: DreamBench's for objects"
    assert "fidelity to held-out photos (unseen) is not measured" in said[1]


def tbbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: one that forked workers before keeps its variables."""
    command = [sys.executable, "-m", "benchmark.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_one_photo_runs_from_the_command_line_and_is_resumed_from_its_own_config(
    folder: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    for name in ("b.jpg", "c.webp"):
        (folder / name).unlink()
    small = (
        f"--photos|{folder}|--class-noun|dog|--name|rex|--backbone|{tiny_backbone}|--device|cpu"
        "|--set|training.steps=1|--set|generation.steps=1|--set|generation.seeds=[0]"
        '|--set|prompts=["in-the-snow"]|--set|scoring.image_encoders=["efficientnet-lite0"]'
        '|--set|scoring.text_encoders=[]|--set|scoring.metrics=["fidelity"]'
        "|--out|"
    ).split("|")
    source = tmp_path / "base.toml"
    source.write_text('name = "base"\ntitle = "Base"\n[[methods]]\nname = "base"\n')
    out = tmp_path / "run"
    done = tbbench("run", str(source), *small[:-1], str(out))
    assert done.returncode == 0, done.stderr
    assert "unseen) is not measured" in done.stdout
    run = Run.open(out)
    results = run.results()
    assert set(results["subject"]) == {"rex"}
    assert set(results["reference"].dropna()) == {"seen"}
    assert all(is_name(name) for name in results["dataset"])
    again = tbbench("run", str(out / "config.toml"), "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert [cell.key for cell in Run.open(out).planned] == [cell.key for cell in run.planned]
    assert parse_config(toml_text(run.config), "again") == run.config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a ready run or a TOML file"),
        (["--photos", "x"], "say what they show, such as --class-noun dog"),
        (["quickstart", "--class-noun", "dog"], "--class-noun is about a folder of photos"),
        (["--photos", "no-such-folder", "--class-noun", "dog"], "no-such-folder cannot be read"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["tbbench", "run", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
