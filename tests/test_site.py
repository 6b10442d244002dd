"""The documentation builds, and a link, an anchor or a page that is lost fails the build."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def build(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Our configuration over two pages, which is faster than the whole site."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{text}\nnav:\n  - index.md\n  - other.md\n", "utf-8")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# One\n\n[two](other.md#a-place)\n", "utf-8")
    (docs / "other.md").write_text("# Two\n\n## A place\n", "utf-8")
    return tmp_path


def test_a_site_needs_nothing_from_the_network(small: Path):
    done = build(small)
    assert done.returncode == 0, done.stderr
    page = (small / "site" / "index.html").read_text("utf-8")
    fetched = re.findall(r"<(?:link|script|img)[^>]+(?:href|src)=\"?(https?:[^\">]+)", page)
    assert not fetched


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("[two](missing.md)", "missing.md"),
        ("[two](other.md#no-such-place)", "no-such-place"),
        ("[two](#no-such-place)", "no-such-place"),
        ("[two](/other.md)", "/other.md"),
        ("[two](other)", "other"),
        ("![picture](missing.png)", "missing.png"),
    ],
)
def test_a_lost_link_fails_the_build_and_is_named(small: Path, link: str, told: str):
    (small / "docs" / "index.md").write_text(f"# One\n\n{link}\n", "utf-8")
    done = build(small)
    assert done.returncode == 1
    assert told in done.stderr


def test_a_page_that_nav_leaves_out_fails_the_build(small: Path):
    shutil.copy(small / "docs" / "other.md", small / "docs" / "stray.md")
    done = build(small)
    assert done.returncode == 1
    assert "stray.md" in done.stderr


def test_readme_links_lead_to_files():
    readme = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", readme)
    assert len(targets) > 10
    assert not [target for target in targets if not (ROOT / target).exists()]
