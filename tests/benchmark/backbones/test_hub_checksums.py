import hashlib
from pathlib import Path

import pytest

from benchmark.backbones import hub_checksums
from benchmark.backbones.hub_checksums import check_hub_files
from benchmark.errors import UserError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS, CONFIG = b"weights", b"{}\n"
# `git hash-object` of a file that holds "{}" and a line end.
CONFIG_BLOB = "0967ef424bce6791893e9a57bb952f80fd536e93"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit's folder as the hub library lays it out: links into `blobs`."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "ours"))
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / COMMIT
    blobs.mkdir()
    folder.mkdir(parents=True)
    names = {"model.safetensors": hashlib.sha256(WEIGHTS).hexdigest(), "config.json": CONFIG_BLOB}
    for (file, blob), content in zip(names.items(), (WEIGHTS, CONFIG), strict=True):
        (blobs / blob).write_bytes(content)
        (folder / file).symlink_to(blobs / blob)
    return folder


FILES = ("model.safetensors", "config.json")


def test_whole_files_pass_and_are_read_once(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_hub_files("mine", snapshot, FILES)
    monkeypatch.setattr(hub_checksums, "_checksum", None)  # calling it would fail
    check_hub_files("mine", snapshot, FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named(snapshot: Path, file: str) -> None:
    check_hub_files("mine", snapshot, FILES)
    (snapshot / file).resolve().write_bytes(b"broken")
    with pytest.raises(UserError, match=f"mine: {file} is not what the hub says it is; delete"):
        check_hub_files("mine", snapshot, FILES)


def test_without_links_there_is_nothing_to_compare_with(snapshot: Path) -> None:
    file = snapshot / "config.json"
    file.unlink()
    file.write_bytes(b"any")
    check_hub_files("mine", snapshot, FILES)
