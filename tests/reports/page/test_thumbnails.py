"""Small copies of pictures: which bytes, made when, and removed when."""

import base64
import json
import os
from io import BytesIO

import pytest
from PIL import Image

from reports.page import thumbnails as made_small
from reports.page.thumbnails import embedded, thumbnails


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of 300 px, no two alike, and where a report is."""
    paths = []
    for number, colour in enumerate(("red", "green", "blue")):
        paths.append(tmp_path / "cells" / f"{number}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.new("RGB", (300, 150), colour).save(paths[-1])
    return paths, tmp_path / "report"


def decoded(monkeypatch):
    """The pictures that are decoded from now on."""
    seen = []
    shrink = made_small.shrink
    monkeypatch.setattr(
        made_small, "shrink", lambda path, *sum: seen.append(path) or shrink(path, *sum)
    )
    return seen


def test_small_pictures_are_shown_byte_for_byte_and_pixelated(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    [made] = embedded([tmp_path / "a.png"]).values()
    kind, _, content = made.source.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == (tmp_path / "a.png").read_bytes()
    assert made.pixelated


def test_large_pictures_become_small_copies(tmp_path):
    Image.new("RGB", (1024, 768), (200, 30, 60)).save(tmp_path / "a.png")
    [made] = embedded([tmp_path / "a.png"]).values()
    kind, _, content = made.source.partition(",")
    assert kind == "data:image/jpeg;base64"
    small = Image.open(BytesIO(base64.b64decode(content)))
    assert small.size == (256, 192)
    assert all(
        abs(a - b) < 4 for a, b in zip(small.getpixel((100, 90)), (200, 30, 60), strict=True)
    )
    assert not made.pixelated


def test_missing_and_damaged_pictures_are_left_out(tmp_path):
    whole, half, text = (tmp_path / name for name in ("whole.png", "half.png", "text.png"))
    Image.effect_noise((64, 64), 80).save(whole)
    half.write_bytes(whole.read_bytes()[:-1500])
    text.write_text("<script>")
    wanted = [whole, half, text, tmp_path / "no.png"]
    assert list(embedded(wanted)) == [whole]
    assert list(thumbnails(wanted, tmp_path / "report")) == [whole]


def test_a_picture_is_decoded_once_and_again_when_it_changes(pictures, monkeypatch):
    paths, report = pictures
    first = thumbnails(paths, report)
    seen = decoded(monkeypatch)
    assert thumbnails(paths, report) == first
    assert seen == []
    Image.new("RGB", (300, 150), "black").save(paths[1])
    os.utime(paths[1], ns=(1, 1))
    second = thumbnails(paths, report)
    assert seen == [paths[1]]
    assert [second[p] == first[p] for p in paths] == [True, False, True]


def test_a_small_copy_that_is_gone_or_cut_is_made_again(pictures, monkeypatch):
    paths, report = pictures
    first = thumbnails(paths, report)
    (report / first[paths[0]].source).unlink()
    (report / first[paths[2]].source).write_bytes(b"cut")
    seen = decoded(monkeypatch)
    assert thumbnails(paths, report) == first
    assert seen == [paths[0], paths[2]]
    assert len((report / first[paths[2]].source).read_bytes()) > 100


def test_what_is_no_longer_shown_is_removed(pictures):
    paths, report = pictures
    kept = thumbnails(paths, report)[paths[0]]
    thumbnails(paths[:1], report)
    names = {path.name for path in (report / "thumbnails").iterdir()}
    assert names == {"index.json", os.path.basename(kept.source)}


def test_equal_pictures_share_a_file_and_folders_move_together(pictures, tmp_path, monkeypatch):
    paths, report = pictures
    (tmp_path / "cells" / "copy.png").write_bytes(paths[0].read_bytes())
    made = thumbnails([*paths, tmp_path / "cells" / "copy.png"], report)
    assert len({thumbnail.source for thumbnail in made.values()}) == 3
    assert not any(str(tmp_path) in key for key in json.loads(index(report)))


def test_a_damaged_index_is_made_anew(pictures):
    paths, report = pictures
    first = thumbnails(paths, report)
    for content in ("[", "[]", '{"../cells/0.png": [1, "x"]}'):
        (report / "thumbnails" / "index.json").write_text(content)
        assert thumbnails(paths, report) == first


def test_an_index_never_names_a_file_outside_the_folder(pictures):
    paths, report = pictures
    secret = report / "secret.jpg"
    first = thumbnails(paths, report)
    secret.write_bytes(b"x" * 10)
    record = json.loads(index(report))
    for entry in record.values():
        entry[2], entry[3] = "../secret.jpg", 10
    (report / "thumbnails" / "index.json").write_text(json.dumps(record))
    assert thumbnails(paths, report) == first
    assert secret.exists()


def test_many_pictures_are_made_by_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(made_small, "ALONE", 2)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("RGB", (300, 300), (number * 40, 0, 0)).save(path)
    apart = thumbnails(paths, tmp_path / "apart")
    monkeypatch.setattr(made_small, "ALONE", 100)
    assert thumbnails(paths, tmp_path / "alone") == apart
    assert len(list((tmp_path / "apart" / "thumbnails").glob("*.jpg"))) == 5


def index(report):
    return (report / "thumbnails" / "index.json").read_text("utf-8")


def test_only_small_copies_are_removed(pictures):
    """What people keep in the folder stays, whatever it is."""
    paths, report = pictures
    folder = report / "thumbnails"
    (folder / "0123456789abcdef").mkdir(parents=True)
    (folder / "album.png").mkdir()
    others = ("notes.txt", "holiday.jpg", "0123456789abcdef.txt", "0123456789ABCDEF.png")
    for name in others:
        (folder / name).write_text("mine")
    (folder / "0123456789abcdef.png").write_text("of an earlier report")
    (folder / ".0123456789abcdef.jpg.77").write_text("half of one")
    kept = thumbnails(paths[:1], report)[paths[0]]
    names = {path.name for path in folder.iterdir()}
    own = {"index.json", os.path.basename(kept.source)}
    assert names == {*own, *others, "album.png", "0123456789abcdef"}
