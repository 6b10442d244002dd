import os
from pathlib import Path

import pytest

from benchmark import atomic


def test_a_failed_write_leaves_the_old_file_and_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a" / "file.txt"
    atomic.write_text(path, "old")

    def fail(source: object, target: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_old_one_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "checkpoint"
    with atomic.new_folder(target) as folder:
        (folder / "a.bin").write_bytes(b"1")
    with pytest.raises(IsADirectoryError), atomic.new_folder(target) as folder:
        folder.write_bytes(b"what a save that breaks off does")
    assert atomic.files_under(target) == ["a.bin"]
    with atomic.new_folder(target) as folder:
        (folder / "b.bin").write_bytes(b"2")
    assert atomic.files_under(target) == ["b.bin"]
    assert list(tmp_path.iterdir()) == [target]


def test_broken_json_reads_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert atomic.read_json(path) is None
    path.write_text('{"half": ')
    assert atomic.read_json(path) is None
    atomic.write_json(path, {"whole": [1, 2.5, "é"]})
    assert atomic.read_json(path) == {"whole": [1, 2.5, "é"]}


def test_a_digest_knows_content_not_order() -> None:
    assert atomic.digest({"a": 1, "b": [1, 2]}) == atomic.digest({"b": [1, 2], "a": 1})
    assert atomic.digest({"a": 1}) != atomic.digest({"a": 1.5})
    assert atomic.digest([1, 2]) != atomic.digest([2, 1])
    assert len(atomic.digest("x", 16)) == 16
