"""Free space before and during a run, on a real small disk where one can be mounted."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import disk
from benchmark.atomic import write_json
from benchmark.config import RunConfig, toml_text
from benchmark.disk import MARGIN, Room, check_space, known_checkpoints, need_of, picture_bytes
from benchmark.errors import UserError
from benchmark.integrity import check_run
from benchmark.plan import Cell, plan
from benchmark.store import Run, cell_folder

Small = Callable[..., RunConfig]
COMMAND = "from benchmark.cli import main; main()"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB, empty."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    file = place / "filler"
    size = disk.free_bytes(place) - leave
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size)
    return file


def run(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, "run", "mine.toml", "--out", str(out)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("side", [1, 32, 257])
def test_no_picture_is_larger_than_predicted(small: Small, side: int) -> None:
    cell = plan(small(training={"resolution": 32}, generation={"seeds": [0]}))[0]
    cell = Cell(**{**cell.to_json(), "resolution": side, "prompts": {"a": "a {subject}"}})
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "PNG")
    assert len(content.getvalue()) < picture_bytes(cell) < len(content.getvalue()) + 2 * disk.NOTES


def test_probes_and_every_seed_count(small: Small) -> None:
    one = plan(small(prompts=["in-the-jungle"], generation={"seeds": [0]}))[0]
    four = plan(small())[0]
    assert picture_bytes(four) == 4 * picture_bytes(one)
    probed = Cell(**{**one.to_json(), "probes": {"class": {"a dog": 3}}})
    assert picture_bytes(probed) == 4 * picture_bytes(one)


def test_checkpoints_are_as_large_as_those_that_are_there(small: Small, tmp_path: Path) -> None:
    config = small(
        methods=[{"name": n, "preset": "toy"} for n in ("base", "dreambooth", "textboost")]
    )
    base, dreambooth, textboost = plan(config)
    unet = sum(file.stat().st_size for file in Path(config.backbone).glob("unet/*.safetensors"))
    assert unet > 0
    assert need_of([base], {}).checkpoints == 0
    assert need_of([dreambooth], {}).checkpoints == unet
    assert 0 < need_of([textboost], {}).checkpoints < unet
    assert known_checkpoints(tmp_path, [textboost]) == {}
    costs = [{"stage": "save", "measure": "checkpoint_bytes", "value": 1234.0}]
    write_json(cell_folder(tmp_path, textboost.key).path / "cost.json", costs)
    known = known_checkpoints(tmp_path, [base, dreambooth, textboost])
    assert need_of([textboost, textboost], known).checkpoints == 2468


def test_a_run_that_does_not_fit_is_refused_before_it_begins(
    small: Small, tmp_path: Path, small_disk: Path
) -> None:
    cells = plan(small())
    check_space(small_disk / "run", cells, {})
    need = need_of(cells, {}).total
    filler = fill(small_disk, MARGIN + need - 10_000)
    with pytest.raises(UserError) as error:
        check_space(small_disk / "not" / "yet", cells, {})
    for part in (str(small_disk), "free, and its 2 missing cells", "PNG", "--out"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    (tmp_path / "mine.toml").write_text(toml_text(small()))
    done = run(tmp_path, small_disk / "run")
    assert done.returncode == 2
    assert "predicted to need" in done.stderr
    assert not (small_disk / "run").exists()
    filler.unlink()


def test_no_cell_starts_without_room(small: Small, small_disk: Path) -> None:
    cells = plan(small())
    room = Room(small_disk, cells, {}, at_once=2)
    assert room()
    assert room.reason is None
    filler = fill(small_disk, MARGIN + need_of(cells, {}).total - 100_000)
    assert not room()
    assert room.reason is not None
    assert "free some space" in room.reason
    filler.unlink()
    assert not room()  # a run that has said so does not change its mind half way
    gone = Room(small_disk / "gone", cells, {}, at_once=1)
    assert gone()  # it will be made there


@pytest.mark.long
@pytest.mark.slow
def test_a_disk_that_fills_up_costs_cells_and_no_more(
    small: Small, tmp_path: Path, small_disk: Path
) -> None:
    """Nothing is asked beforehand: the second cell meets the full disk where it writes."""
    config = small()
    (tmp_path / "mine.toml").write_text(toml_text(config))
    out = small_disk / "run"
    blind = "from benchmark import disk\ndisk.MARGIN = disk.RECORDS = -(2**30)\n"
    filler = fill(small_disk, 100_000)
    command = [sys.executable, "-c", blind + COMMAND, "run", "mine.toml", "--out", str(out)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "DiskFull: " in done.stderr
    assert "the disk is full, so tables and report are as they were before" in done.stderr
    states = {cell.method: cell_folder(out, cell.key).state() for cell in plan(config)}
    assert states["base"]["status"] == "done"
    assert states["textual-inversion"]["status"] in ("pending", "failed")
    filler.unlink()
    again = run(tmp_path, out)
    assert again.returncode == 0, again.stderr
    cells = Run.open(out).cells().set_index("method")
    assert set(cells.status) == {"done"}
    assert cells.attempts["base"] == 1
    assert check_run(out).whole
