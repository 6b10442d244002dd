import pytest

from benchmark import owner
from benchmark.owner import OwnerLostError
from benchmark.store import cell_folder
from benchmark.transfer import cell_files, check_name, put_cell

KEY = "0" * 16


def test_a_cells_files_take_the_place_of_what_was_there(tmp_path):
    folder = cell_folder(tmp_path, KEY)
    source = tmp_path / "big.safetensors"
    source.write_bytes(b"x" * 3_000_000)
    with folder.lock():
        (folder.path / "old.txt").write_text("old")
        put_cell(
            folder,
            {
                "cell.json": b"{}",
                "images/a-0.png": memoryview(b"png"),
                "checkpoint/w.safetensors": source,
            },
        )
    assert cell_files(folder.path) == ["cell.json", "checkpoint/w.safetensors", "images/a-0.png"]
    assert (folder.path / "images/a-0.png").read_bytes() == b"png"
    assert (folder.path / "checkpoint/w.safetensors").read_bytes() == source.read_bytes()


def test_interrupted_it_leaves_no_cell_that_counts_as_done(tmp_path, monkeypatch):
    folder = cell_folder(tmp_path, KEY)
    (folder.path).mkdir(parents=True)
    (folder.path / "cell.json").write_text('{"status": "done"}')

    def full(path, content):
        raise OSError("No space left on device")

    monkeypatch.setattr("benchmark.transfer.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        put_cell(folder, {"scores.parquet": b"s", "cell.json": b'{"status": "done"}'})
    assert folder.state()["status"] == "pending"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "a/../../b",
        "",
        ".",
        "a//b",
        "./a",
        "a\\b",
        "a\0b",
        ".lock",
        "a/.b/c",
    ],
)
def test_no_name_leaves_the_cells_folder(tmp_path, name):
    folder = cell_folder(tmp_path, KEY)
    with pytest.raises(ValueError, match="not the name of a file"):
        check_name(name)
    with pytest.raises(ValueError, match="not the name of a file"):
        put_cell(folder, {"fine.txt": b"", name: b"evil"})
    assert not folder.path.exists()


def test_no_link_leads_out_of_the_cells_folder(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = cell_folder(tmp_path / "run", KEY)
    folder.path.mkdir(parents=True)
    (folder.path / "images").symlink_to(outside)
    with pytest.raises(ValueError, match="is a link"):
        put_cell(folder, {"images/a-0.png": b"x"})
    assert not any(outside.iterdir())


def test_files_that_come_late_do_not_replace_those_of_the_next_owner(tmp_path, monkeypatch):
    """As when whoever waited for them was suspended, and another machine took the cell over."""
    folder = cell_folder(tmp_path, KEY)
    with folder.lock():
        mine = owner._held.pop(str(folder.path))
        # To another machine this process is known by its heartbeat alone.
        monkeypatch.setattr("benchmark.processes.this_machine", lambda: "elsewhere")
        waits = owner.Pace(beat=60, stale=0.0, poll=0.01)
        with owner.hold(folder.path, pace=waits):
            owner._held[str(folder.path)] = mine
            (folder.path / "cell.json").write_text("theirs")
            with pytest.raises(OwnerLostError):
                put_cell(folder, {"cell.json": b"mine"})
            assert (folder.path / "cell.json").read_text() == "theirs"
