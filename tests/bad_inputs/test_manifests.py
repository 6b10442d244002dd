"""Manifests and pictures for `tbbench score`: refused as a whole, or row by row."""

import io
import pickle
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.any_pictures import find as find_module
from benchmark.any_pictures.find import Found, find_pictures
from benchmark.any_pictures.options import make_request
from benchmark.any_pictures.picture_files import UnreadableError, open_picture
from benchmark.any_pictures.problems import listing, serious, table
from benchmark.errors import UserError
from tests.bad_inputs.damage import DAMAGE
from tests.bad_inputs.manifests import HEAD, PROBLEMS, REFUSED, ROW
from tests.bad_inputs.refusal import check_line, command, refused, refused_by_command
from tests.bad_inputs.test_configurations import FIXED


@pytest.fixture(autouse=True, scope="module")
def _targets_drawn_once() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(find_module, "dataset_targets", cache(find_module.dataset_targets))
    yield
    patch.undo()


def drawn(size: tuple[int, int] = (64, 64)) -> Image.Image:
    image = Image.radial_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.rotate(90), image.rotate(180)))


def encoded(form: str) -> bytes:
    content = io.BytesIO()
    drawn().save(content, form)
    return content.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    png = encoded("PNG")
    files = {"good.png": png, "empty.png": b"", "cut.png": png[: len(png) // 2]}
    files |= {"pickle.png": pickle.dumps([1]), "other.png": encoded("BMP")}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def find(folder: Path, content: bytes) -> Found:
    (folder / "manifest.csv").write_bytes(content)
    return find_pictures(make_request([folder / "manifest.csv"], [], dataset="toyworld"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_manifest(name: str, folder: Path) -> None:
    refused(lambda: find(folder, REFUSED[name]))


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_row_that_is_not_scored_is_listed(name: str, folder: Path) -> None:
    good = b"good.png,picnic_teapot,in-the-jungle,0,mine\n"
    found = find(folder, HEAD + good + PROBLEMS[name])
    assert serious(found.problems), "nothing was said"
    assert found.pictures <= 2
    for line in listing(found.problems):
        check_line(line)
    for line in table(found.problems).splitlines():
        assert "Traceback" not in line


def test_the_good_row_alone_is_found(folder: Path) -> None:
    found = find(folder, HEAD + ROW)
    assert found.pictures == 1
    assert {problem.kind for problem in found.problems} == {"missing"}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_parquet_manifest(how: str, folder: Path) -> None:
    columns = HEAD.decode().strip().split(",")
    values = ROW.decode().strip().split(",")
    content = io.BytesIO()
    pd.DataFrame([dict(zip(columns, values, strict=True))]).to_parquet(content)
    file = folder / "manifest.parquet"
    file.write_bytes(DAMAGE[how](content.getvalue()))
    try:
        found = find_pictures(make_request([file], [], dataset="toyworld"))
    except UserError as error:
        check_line(str(error))
    else:
        for line in listing(found.problems):
            check_line(line)


@pytest.mark.parametrize("name", ["misspelled", "UTF-16", "a quote that never ends"])
def test_the_command_refuses_it_in_one_line(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "manifest.csv").write_bytes(REFUSED[name])
    monkeypatch.chdir(folder)
    refused_by_command(["score", "manifest.csv", "--dataset", "toyworld"], monkeypatch)
    assert not (folder / "runs").exists()


def test_with_nothing_to_score_the_command_fails_and_leaves_no_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "manifest.csv").write_bytes(HEAD + PROBLEMS["picture is cut"])
    monkeypatch.chdir(folder)
    code, said = command(["score", "manifest.csv", "--dataset", "toyworld"], monkeypatch)
    assert code == 1
    assert said.splitlines()[-1] == "failed: mine: none of its pictures could be scored"
    assert "Traceback" not in said
    assert not (folder / "runs").exists()


FORMS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")


def opened_or_unreadable(content: bytes, file: Path) -> bool:
    """Whether there is a picture in the content; where not, the reason must be one line."""
    file.write_bytes(content)
    try:
        open_picture(file)
    except UnreadableError as error:
        check_line(str(error))
        return False
    return True


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", ["empty", "one byte", "half", "zeros", "a web page", "a pickle"])
def test_a_damaged_picture_is_unreadable(form: str, how: str, tmp_path: Path) -> None:
    assert not opened_or_unreadable(DAMAGE[how](encoded(form)), tmp_path / "x")


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, packed: bytes, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


BOMBS = {
    "100000 x 100000 pixels": png(100_000, 100_000, zlib.compress(b"\0" * 1000)),
    "2^31 x 2^31 pixels": png(2**31 - 1, 2**31 - 1, b""),
    "no pixels": png(0, 0, zlib.compress(b"")),
    "a text of 100 MB": png(
        1, 1, zlib.compress(bytes(4)), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))
    ),
    "no end": png(64, 64, zlib.compress(bytes(64 * 193)))[:-12],
    "too few rows": png(64, 64, zlib.compress(bytes(10 * 193))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_made_to_harm_is_unreadable_or_small(name: str, tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    if opened_or_unreadable(BOMBS[name], file):
        assert max(open_picture(file).image.size) <= 64


@given(form=st.sampled_from(FORMS), cut=st.integers(0, 20_000), bit=st.integers(0, 7))
@FIXED
def test_any_bit_may_flip(form: str, cut: int, bit: int, tmp_path_factory) -> None:
    content = bytearray(encoded(form))
    content[cut % len(content)] ^= 1 << bit
    opened_or_unreadable(bytes(content), tmp_path_factory.getbasetemp() / "flipped")


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["good.png", "spotted_dog", "in-the-jungle", "0", "1", "../x", "\0", '"', ""]),
)


@given(rows=st.lists(st.lists(CELLS, max_size=7), max_size=4))
@FIXED
def test_any_rows_are_taken_listed_or_refused(rows: list[list[str]], tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp() / "rows"
    folder.mkdir(exist_ok=True)
    (folder / "good.png").write_bytes(encoded("PNG"))
    text = HEAD.decode() + "".join(",".join(row) + "\n" for row in rows)
    try:
        found = find(folder, text.encode("utf-8", "surrogatepass"))
    except UserError as error:
        check_line(str(error))
        return
    for line in listing(found.problems):
        check_line(line)
