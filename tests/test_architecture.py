"""docs/architecture.md names what there is, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DESIGNED = PAGE.index("## What differs from the first design")


def named() -> list[str]:
    """Paths of the repository that the page speaks of as being there."""
    ours = r"benchmark|methods|textboost|reports|datasets|tests|docs|\.github"
    found = re.findall(rf"`((?:{ours})/[\w./+-]*)`", PAGE[:DESIGNED])
    return [*found, *re.findall(r"^\| .*? \| `(benchmark/[\w./]+)`", PAGE[DESIGNED:], re.M)]


def covered(path: str, names: list[str]) -> bool:
    """Named itself, or inside a folder of `benchmark/` that is named."""
    return path in names or any(
        name.endswith("/") and name != "benchmark/" and path.startswith(name) for name in names
    )


def test_every_path_on_the_page_exists():
    assert len(named()) > 60
    assert not [path for path in named() if not (ROOT / path).exists()]


def test_every_module_of_the_harness_has_a_line():
    there = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "benchmark").rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert len(there) > 100
    assert not [path for path in there if not covered(path, named())]


def test_every_folder_at_the_top_has_a_line():
    ignored = (ROOT / ".gitignore").read_text("utf-8").replace("/", "").splitlines()
    there = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in ignored]
    shown = [name for name in there if name == ".github" or not name.startswith(".")]
    assert len(shown) > 6
    assert not [name for name in shown if f"| `{name}/` |" not in PAGE]


def test_a_module_without_a_line_would_be_seen():
    assert covered("benchmark/perf/judge.py", ["benchmark/", "benchmark/perf/"])
    assert not covered("benchmark/new.py", ["benchmark/", "benchmark/perf/", "benchmark/news.py"])
