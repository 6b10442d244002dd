"""DreamBench's facts, its photos on disk, and refusing photos that are not the recorded ones."""

import csv
import hashlib
import io
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from benchmark.dreambench import DreamBench
from benchmark.errors import UserError


@pytest.fixture
def bench() -> DreamBench:
    return DreamBench()


# The facts, against numbers counted by hand in DreamBench's own files.


def test_thirty_subjects_nine_of_them_live(bench: DreamBench) -> None:
    live = [name for name in bench.subject_names() if bench.facts(name).live]
    assert len(bench.subject_names()) == 30
    assert live == ["cat", "cat2", "dog", "dog2", "dog3", "dog5", "dog6", "dog7", "dog8"]


def test_fifteen_class_nouns(bench: DreamBench) -> None:
    nouns = {bench.facts(name).class_noun for name in bench.subject_names()}
    assert len(nouns) == 15
    assert bench.facts("wolf_plushie").class_noun == "stuffed animal"
    assert bench.facts("pink_sunglasses").class_noun == "glasses"


def test_photo_counts(bench: DreamBench) -> None:
    counts = Counter(len(bench.facts(name).checksums) for name in bench.subject_names())
    assert counts == {5: 18, 6: 10, 4: 2}


def test_no_photo_occurs_twice(bench: DreamBench) -> None:
    sums = [sha for name in bench.subject_names() for sha in bench.facts(name).checksums.values()]
    assert len(sums) == len(set(sums)) == 158


def test_descriptors_are_those_of_the_run_script(bench: DreamBench) -> None:
    assert bench.facts("backpack_dog").descriptor == "character"
    assert bench.facts("dog8").descriptor == "border collie"
    assert bench.facts("red_cartoon").descriptor == "devil"


@pytest.mark.parametrize("live", [False, True])
def test_25_prompts_each_naming_the_subject_once(bench: DreamBench, live: bool) -> None:
    prompts = bench.prompts(live)
    assert len(prompts) == len({p.id for p in prompts}) == 25
    assert all(p.template.count("{subject}") == 1 for p in prompts)


def test_prompts_of_both_kinds(bench: DreamBench) -> None:
    objects, live = ({p.id: p for p in bench.prompts(kind)} for kind in (False, True))
    assert len(objects.keys() & live.keys()) == 15
    assert all(objects[id] == live[id] for id in objects.keys() & live.keys())
    assert objects["floating-in-milk"].text("can") == "a can floating in an ocean of milk"
    assert live["in-a-chef-outfit"].text("dog") == "a dog in a chef outfit"
    assert live["cube-shaped"].text("cat") == "a cube shaped cat"


def test_split_n1_is_the_split_file_and_not_the_first_photo(bench: DreamBench) -> None:
    """Trap 1: the held-out split taken by sorted order."""
    split = bench.split("n1")
    assert list(split) == bench.subject_names()
    assert split["backpack"] == ("02.jpg",)
    assert split["dog7"] == ("02.jpg",)
    assert split["rc_car"] == ("04.jpg",)
    not_first = [s for s, photos in split.items() if photos != (min(bench.facts(s).checksums),)]
    assert len(not_first) == 21


def test_split_n1_holds_out_128_photos(bench: DreamBench) -> None:
    split = bench.split("n1")
    held_out = [
        photo
        for subject in bench.subject_names()
        for photo in bench.facts(subject).checksums
        if photo not in split[subject]
    ]
    assert len(held_out) == 128


def test_the_second_versions_split_differs_in_two_subjects(bench: DreamBench) -> None:
    first, second = bench.split("n1"), bench.split("n1-v2")
    differing = {subject: second[subject] for subject in first if first[subject] != second[subject]}
    assert differing == {"clock": ("03.jpg",), "dog3": ("05.jpg",)}
    assert first.keys() == second.keys()


def test_numbered_splits_take_the_kth_photo(bench: DreamBench) -> None:
    assert bench.split_names() == ["n1", "n1-v2", "n1-0", "n1-1", "n1-2", "n1-3"]
    for k in range(4):
        assert set(bench.split(f"n1-{k}").values()) == {(f"0{k}.jpg",)}


def test_unknown_names_are_refused_with_the_nearest(bench: DreamBench) -> None:
    with pytest.raises(UserError, match=r"unknown split 'n1-4' of dreambench; did you mean"):
        bench.split("n1-4")
    with pytest.raises(UserError, match=r"unknown subject 'bakpack'; did you mean 'backpack'"):
        bench.subject("bakpack")


# Photos, on a small made-up set.


def write_set(folder: Path) -> tuple[Path, Path]:
    """Facts and photos of two subjects, one of whose photos is stored turned by 90 degrees."""
    facts, root = folder / "facts", folder / "photos"
    facts.mkdir(parents=True)
    rows = []
    for subject, colour in (("cup", "red"), ("hen", "blue")):
        (root / subject).mkdir(parents=True)
        for number in range(2):
            image = Image.new("RGB", (6 + number, 4), colour)
            exif = Image.Exif()
            if (subject, number) == ("hen", 1):
                exif[0x0112] = 6
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", exif=exif)
            content = buffer.getvalue()
            (root / subject / f"0{number}.jpg").write_bytes(content)
            sha = hashlib.sha256(content).hexdigest()
            rows.append([subject, f"0{number}.jpg", sha, len(content)])
    with (facts / "checksums.csv").open("w", newline="") as out:
        csv.writer(out).writerows([["subject", "photo", "sha256", "bytes"], *rows])
    (facts / "subjects.csv").write_text(
        "name,class_noun,live,descriptor\ncup,mug,false,red\nhen,hen,true,blue\n"
    )
    return facts, root


@pytest.fixture
def small(tmp_path: Path) -> DreamBench:
    facts, root = write_set(tmp_path)
    return DreamBench(root, facts)


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_photos_load_as_rgb_turned_upright(small: DreamBench) -> None:
    hen = small.subject("hen")
    assert [photo.name for photo in hen.photos] == ["00.jpg", "01.jpg"]
    assert (hen.class_noun, hen.live, hen.initialiser) == ("hen", True, "blue hen")
    upright, turned = (photo.load() for photo in hen.photos)
    assert (upright.mode, upright.size) == ("RGB", (6, 4))
    assert turned.size == (4, 7)


def test_photo_checksum_is_that_of_the_file(small: DreamBench) -> None:
    content = (small.root / "cup" / "01.jpg").read_bytes()
    assert small.subject("cup").photo("01.jpg").sha256 == hashlib.sha256(content).hexdigest()


def test_where_no_photo_is_there_one_line_says_what_to_do(small: DreamBench) -> None:
    assert small.there()
    assert small.check() == []
    for photo in small.root.rglob("*.jpg"):
        photo.unlink()
    assert not small.there()
    (line,) = small.check()
    assert "tbbench data fetch dreambench" in line
    assert "DREAMBENCH_ROOT" in line
    with pytest.raises(UserError, match="photos are not in"):
        small.subject("hen")


def test_a_flipped_byte_is_refused_by_name(small: DreamBench) -> None:
    path = small.root / "cup" / "01.jpg"
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    flip_byte(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError) as caught:
        small.subject("cup")
    message = str(caught.value)
    assert "cup/01.jpg" in message
    assert f"expected SHA-256 {expected[:12]}, found {found[:12]}" in message
    assert "tbbench data fetch dreambench" in message
    assert "\n" not in message
    small.subject("hen")


def test_a_photo_changed_after_the_check_is_refused_when_opened(small: DreamBench) -> None:
    photo = small.subject("cup").photos[0]
    flip_byte(small.root / "cup" / "00.jpg")
    with pytest.raises(UserError, match=r"cup/00\.jpg"):
        photo.load()


def test_a_missing_photo_is_named(small: DreamBench) -> None:
    (small.root / "hen" / "00.jpg").unlink()
    with pytest.raises(UserError, match=r"hen/00\.jpg cannot be read .*tbbench data fetch"):
        small.subject("hen")


def test_without_photos_the_message_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DREAMBENCH_ROOT", raising=False)
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"tbbench data fetch dreambench.*DREAMBENCH_ROOT"):
        DreamBench().subject("dog")


def test_planning_needs_no_photos(tmp_path: Path) -> None:
    bench = DreamBench(tmp_path / "nowhere")
    assert bench.facts("dog").checksums.keys() == {f"0{i}.jpg" for i in range(5)}
    assert len(bench.split("n1")) == 30


def test_photos_come_from_the_named_folder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DREAMBENCH_ROOT", str(tmp_path / "mine"))
    assert DreamBench().root == tmp_path / "mine"
    monkeypatch.delenv("DREAMBENCH_ROOT")
    assert DreamBench().root == tmp_path / "cache" / "dreambench"


def test_check_finds_nothing_in_a_good_set(small: DreamBench) -> None:
    assert small.check() == []


def test_check_lists_every_bad_photo(tmp_path: Path) -> None:
    facts, root = write_set(tmp_path)
    flip_byte(root / "cup" / "00.jpg")
    (root / "hen" / "01.jpg").unlink()
    problems = DreamBench(root, facts).check()
    assert len(problems) == 2
    assert "cup/00.jpg" in problems[0]
    assert "hen/01.jpg" in problems[1]


def test_check_without_a_folder_is_one_problem(tmp_path: Path) -> None:
    facts, _ = write_set(tmp_path)
    problems = DreamBench(tmp_path / "nowhere", facts).check()
    assert len(problems) == 1
    assert "tbbench data fetch dreambench" in problems[0]


# The real photos, where they are at hand.

real = pytest.mark.skipif(
    "DREAMBENCH_ROOT" not in os.environ,
    reason="DREAMBENCH_ROOT is not set: DreamBench's photos are not part of this project",
)


@real
def test_real_photos_open_and_are_square(bench: DreamBench) -> None:
    subject = bench.subject("backpack_dog")
    images = [photo.load() for photo in subject.photos]
    assert len(images) == 5
    assert all(image.mode == "RGB" and image.width == image.height for image in images)


@real
def test_real_photos_are_all_as_recorded(bench: DreamBench) -> None:
    for name in bench.subject_names():
        assert len(bench.subject(name).photos) == len(bench.facts(name).checksums)


@real
def test_a_flipped_byte_in_a_real_photo_is_refused(bench: DreamBench, tmp_path: Path) -> None:
    shutil.copytree(bench.root / "duck_toy", tmp_path / "duck_toy", copy_function=shutil.copyfile)
    (tmp_path / "duck_toy").chmod(0o755)
    DreamBench(tmp_path).subject("duck_toy")
    flip_byte(tmp_path / "duck_toy" / "02.jpg")
    with pytest.raises(UserError, match=r"duck_toy/02\.jpg"):
        DreamBench(tmp_path).subject("duck_toy")
