"""What counts as the same, and which cells are done again; real cells: `test_faults.py`."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from benchmark.config import RunConfig
from benchmark.determinism import (
    PARTS,
    Difference,
    Repeated,
    compare_folders,
    sample_cells,
    show,
)
from benchmark.pictures import write_picture
from benchmark.plan import plan
from benchmark.store import CellFolder

Small = Callable[..., RunConfig]


def folder(path: Path) -> CellFolder:
    """A cell's files: a weight, two losses, two pictures and two scores."""
    made = CellFolder(path)
    made.checkpoint.mkdir(parents=True)
    save_file({"w": torch.ones(3)}, made.checkpoint / "w.safetensors")
    (made.checkpoint / "config.json").write_text("{}")
    made.write_losses([0.5, float("nan")], [0.1, 0.1])
    for seed in range(2):
        write_picture(made.image("p", seed), Image.new("RGB", (4, 4), (9, 9, 9)), path.name, {})
    frame = pd.DataFrame({"metric": ["a", "b"], "seed": [0, None], "value": [1.0, float("nan")]})
    frame.to_parquet(made.path / "scores.parquet")
    return made


@pytest.fixture
def pair(tmp_path: Path) -> tuple[CellFolder, CellFolder]:
    return folder(tmp_path / "one"), folder(tmp_path / "other")


def different(pair: tuple[CellFolder, CellFolder]) -> dict[str, tuple[int, float | None]]:
    """Of the parts that differ: in how many, and by how much."""
    found = compare_folders(*pair)
    assert tuple(found) == PARTS
    return {name: (d.different, d.largest) for name, d in found.items() if d.different}


def test_the_same_is_the_same(pair: tuple[CellFolder, CellFolder]) -> None:
    """Also pictures of the same pixels with another origin, and what is not finite in both."""
    assert different(pair) == {}
    counts = {name: found.compared for name, found in compare_folders(*pair).items()}
    assert counts == {"checkpoint": 2, "losses": 2, "pictures": 2, "scores": 2}


def test_differences_of_numbers_have_a_size(pair: tuple[CellFolder, CellFolder]) -> None:
    other = pair[1]
    save_file({"w": torch.tensor([1.0, 1.5, 1.0])}, other.checkpoint / "w.safetensors")
    other.write_losses([0.25, float("nan")], [0.3, 0.3])
    image = Image.new("RGB", (4, 4), (9, 9, 9))
    image.putpixel((1, 1), (9, 20, 9))
    write_picture(other.image("p", 1), image, "x", {})
    frame = pd.read_parquet(other.path / "scores.parquet")
    frame.assign(value=[1.125, float("nan")]).to_parquet(other.path / "scores.parquet")
    assert different(pair) == {
        "checkpoint": (1, 0.5),
        "losses": (1, 0.25),
        "pictures": (1, 11.0),
        "scores": (1, 0.125),
    }


def test_other_differences_have_none(pair: tuple[CellFolder, CellFolder]) -> None:
    other = pair[1]
    (other.checkpoint / "config.json").write_text("{ }")
    save_file({"w": torch.ones(4)}, other.checkpoint / "w.safetensors")
    other.write_losses([0.5], [0.1])
    other.image("p", 0).unlink()
    write_picture(other.image("p", 1), Image.new("RGB", (5, 4)), "x", {})
    frame = pd.read_parquet(other.path / "scores.parquet")
    frame.assign(metric=["a", "c"]).to_parquet(other.path / "scores.parquet")
    assert different(pair) == {
        "checkpoint": (2, None),
        "losses": (1, None),
        "pictures": (2, None),
        "scores": (2, None),
    }


def test_a_number_on_one_side_alone_is_a_difference(pair: tuple[CellFolder, CellFolder]) -> None:
    frame = pd.read_parquet(pair[1].path / "scores.parquet")
    frame.assign(value=[float("nan")] * 2).to_parquet(pair[1].path / "scores.parquet")
    assert different(pair) == {"scores": (1, None)}


def test_every_method_has_its_turn_and_the_choice_is_always_the_same(small: Small) -> None:
    cells = plan(small(subjects=["spotted_dog", "rain_boot"], train_seeds=[0, 1]))
    drawn = sample_cells(cells, 3)
    assert [cell.method for cell in drawn] == ["base", "textual-inversion", "base"]
    assert drawn == sample_cells(cells, 3)
    assert {cell.key for cell in sample_cells(cells, 99)} == {cell.key for cell in cells}
    assert sample_cells([], 3) == []


def test_the_table_tells_what_differs() -> None:
    same = dict.fromkeys(PARTS, Difference(4, 0, 0.0))
    apart = same | {"pictures": Difference(4, 1, 3.0), "scores": Difference(4, 4, None)}
    found = [
        Repeated("k1", "a · dog", None, same),
        Repeated("k2", "b · dog", None, apart),
        Repeated("k3", "c · dog", "train: SIGKILL: killed", {}),
    ]
    assert [cell.equal for cell in found] == [True, False, False]
    screen = StringIO()
    show(found, Console(file=screen, width=200))
    shown = screen.getvalue()
    for words in ("4 equal", "1 of 4 differ by 3 grey level", "4 of 4 differ not only in numbers"):
        assert words in shown
    assert "failed: train: SIGKILL" in shown
    assert "2 of 3 cells came out differently" in shown
