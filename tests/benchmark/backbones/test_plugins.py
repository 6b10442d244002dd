"""Backbones that other packages offer through the entry point group `tbbench.backbones`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.backbones import backbone_names, open_backbone
from benchmark.errors import UserError

SOURCE = """
from dataclasses import replace
from pathlib import Path
from benchmark.backbones import open_backbone
Path({trace!r}).write_text("imported")
def good(): return replace(open_backbone("toy"), name="good")
def misnamed(): return open_backbone("toy")
def broken(): raise RuntimeError("no such weights\\nhere")
"""
ENTRIES = "".join(
    f"{name} = offered_backbones:{function}\n"
    for name, function in {
        **{name: name for name in ("good", "misnamed", "broken", "missing")},
        "sd15": "good",
    }.items()
)


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with such entry points, as an installer would leave it."""
    trace = tmp_path / "trace"
    (tmp_path / "offered_backbones.py").write_text(SOURCE.format(trace=str(trace)))
    about = tmp_path / "offered_backbones-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: offered-backbones\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text(f"[tbbench.backbones]\n{ENTRIES}")
    monkeypatch.syspath_prepend(str(tmp_path))
    open_backbone.cache_clear()
    yield trace
    open_backbone.cache_clear()
    sys.modules.pop("offered_backbones", None)


def test_one_is_imported_only_when_it_is_named(trace: Path) -> None:
    assert "good" in backbone_names()
    assert open_backbone("toy").name == "toy"
    with pytest.raises(UserError, match="good"):
        open_backbone("goood")
    assert not trace.exists()
    assert open_backbone("good").revision == open_backbone("toy").revision
    assert trace.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("misnamed", "backbone 'misnamed': offered_backbones:misnamed gave no Backbone of that"),
        ("broken", "backbone 'broken' does not load: RuntimeError: no such weights here"),
        ("missing", "backbone 'missing' does not load: AttributeError"),
        ("sd15", "backbone 'sd15' is one of ours, and offered_backbones:good of offered-"),
    ],
)
def test_what_cannot_be_had_is_one_line(trace: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        open_backbone(name)
    assert "\n" not in str(raised.value)
