"""VQAScore's process, with a small package in the place of t2v_metrics."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmark.errors import UserError
from benchmark.metrics.vqascore import ENCODER, VARIABLE, check, score

STUB = f"""
from PIL import Image

class VQAScore:
    def __init__(self, model, device):
        assert (model, device) == ({ENCODER!r}, "cpu"), (model, device)

    def __call__(self, images, texts):
        (image,), (text,) = images, texts
        if text == "burst":
            raise ValueError("no memory left")
        print("chatter on standard output")
        with Image.open(image) as opened:
            red = opened.convert("RGB").getpixel((0, 0))[0]
        return [[red / 255 + len(text)]]
"""
ROWS = pd.DataFrame(
    {
        "prompt_id": ["a", "b", "b"],
        "prompt": ["a dog", "a dog in the snow", "a dog in the snow"],
        "seed": [0, 0, 1],
        "image": ["a-0.png", "b-0.png", "b-1.png"],
    }
)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that finds the small package."""
    package = tmp_path / "packages" / "t2v_metrics"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STUB)
    return interpreter(tmp_path, monkeypatch, package.parent)


def interpreter(folder: Path, monkeypatch: pytest.MonkeyPatch, packages: Path) -> Path:
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(python))
    return python


def test_every_picture_is_scored_with_its_own_text(environment: Path, tmp_path: Path) -> None:
    on_disk = tmp_path / "b.png"
    Image.new("RGB", (4, 4), (51, 0, 0)).save(on_disk)
    images = [Image.new("RGB", (4, 4), (255, 0, 0)), on_disk, Image.new("RGB", (4, 4))]
    check()
    found = score(ROWS, images, "cpu")
    assert found["value"].to_list() == pytest.approx([1 + 5, 0.2 + 17, 17])
    assert found["image"].to_list() == ["a-0.png", "b-0.png", "b-1.png"]
    assert set(found["metric"]) == {"vqascore"}


def test_a_process_that_fails_says_its_last_words(environment: Path) -> None:
    rows = ROWS.iloc[:1].assign(prompt="burst")
    with pytest.raises(RuntimeError, match="process failed: ValueError: no memory left"):
        score(rows, [Image.new("RGB", (4, 4))], "cpu")


def test_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match=f"export {VARIABLE}="):
        check()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"No such file.*nowhere"):
        check()
    interpreter(tmp_path, monkeypatch, tmp_path)
    with pytest.raises(UserError, match="has no package t2v_metrics"):
        check()
