"""A cache that several users share, asked as one who may read and not write."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.atomic import write_bytes
from benchmark.cache_folder import cache_folder, remember
from benchmark.errors import UserError

NOBODY = 65534


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache outside pytest's own folders, which other users cannot enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("TBBENCH_CACHE", folder)
        yield Path(folder)


@contextmanager
def somebody_else(folder: Path) -> Iterator[None]:
    """This process without the right to write into the folder."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    else:
        folder.chmod(0o555)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no users to change between")
def test_what_is_whole_in_the_cache_of_another_user_is_read(cache: Path) -> None:
    with cache_folder("prior", "a") as folder:
        write_bytes(folder / "00000.png", b"a picture")
    assert folder == cache / "prior" / "a"
    with somebody_else(folder):
        with cache_folder("prior", "a") as again:
            assert (again / "00000.png").read_bytes() == b"a picture"
        with (
            pytest.raises(UserError, match=r"cannot be written .*set TBBENCH_CACHE to a folder"),
            cache_folder("prior", "a") as again,
        ):
            write_bytes(again / "00001.png", b"another")
        remember(folder / "known.json", {})
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "00000.png"]


def test_a_full_disk_is_no_question_of_rights(cache: Path) -> None:
    with pytest.raises(OSError, match="No space left"), cache_folder("prior", "a") as folder:
        raise OSError(28, "No space left on device", str(folder / "00000.png"))
