"""Archives that no bundle is: refused, and nothing of them is written."""

import stat
import zipfile
from pathlib import Path

import pytest

from benchmark.bundle import archive
from benchmark.bundle.archive import read_zip
from benchmark.errors import UserError


def raw_zip(path: Path, entries) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for entry, content in entries:
            opened.writestr(entry, content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.json", "/etc/passwd", "cells/../../config.toml", "cells\\a", "run.json/"),
        *("report/index.html", "cells/0123456789abcdef/cell.json/x", "thumbnails/x/y.jpg"),
        "cells/0123456789ABCDEF/cell.json",
    ],
)
def test_a_name_that_no_bundle_holds_is_refused(tmp_path, name):
    path = raw_zip(tmp_path / "evil.zip", [("bundle.json", "{}"), (name, "x")])
    with pytest.raises(UserError, match="belongs to no bundle"):
        read_zip(path)


def test_links_and_doubles_are_refused(tmp_path):
    link = zipfile.ZipInfo("run.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(UserError, match=r"run\.json is no plain file"):
        read_zip(raw_zip(tmp_path / "link.zip", [(link, "/etc/passwd")]))
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = raw_zip(tmp_path / "twice.zip", [("run.json", "1"), ("run.json", "2")])
    with pytest.raises(UserError, match="twice"):
        read_zip(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_only_plain_and_deflated_files_are_unpacked(tmp_path, packing):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", packing) as opened:
        opened.writestr("run.json", "{}")
    with pytest.raises(
        UserError, match=r"odd\.zip: run\.json is packed in a way that no bundle is"
    ):
        read_zip(path)


def test_nothing_larger_than_a_bundle_is_read(tmp_path, monkeypatch):
    """A small archive that grows: a megabyte of zeros packs into a kilobyte."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("run.json", b"0" * 2**20)
        opened.writestr("plan.json", b"0" * 2**20)
    assert path.stat().st_size < 10_000
    assert len(read_zip(path)) == 2
    monkeypatch.setattr(archive, "LARGEST_BUNDLE", 2**20 + 2**19)
    with pytest.raises(UserError, match="larger than any file"):
        read_zip(path)
    monkeypatch.setattr(archive, "LARGEST_FILE", 1000)
    with pytest.raises(UserError, match=r"run\.json is larger"):
        read_zip(path)
    monkeypatch.setattr(archive, "MOST_FILES", 1)
    with pytest.raises(UserError, match="more than 1 files"):
        read_zip(path)
