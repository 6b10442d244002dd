"""A package as an installer would leave it: its modules, and what it offers in its metadata."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    folder: Path,
    name: str,
    modules: Mapping[str, str],
    offered: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Version 1.0 of the package `name`. modules: name -> source; offered: entry_points.txt."""
    folder.mkdir(exist_ok=True)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
        # Forgotten with the test: another may have a module of that name.
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, module)
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(offered)
    monkeypatch.syspath_prepend(str(folder))
