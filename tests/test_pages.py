"""What the pages on configurations and names say is so."""

import re
from pathlib import Path

from benchmark.config import parse_config
from methods import method_names

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_the_configurations_are_valid() -> None:
    page = (DOCS / "how-to" / "run.md").read_text("utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert [parse_config(block, "run.md").name for block in blocks] == ["my-run"]


def test_the_methods_table_is_complete() -> None:
    page = (DOCS / "reference" / "names.md").read_text("utf-8")
    section = page.split("## Methods")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9+-]+)`", section, re.MULTILINE)) == method_names()


def test_beginners_find_what_the_words_beside_figures_mean() -> None:
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    assert "](docs/explanation/words.md)" in readme
    pages = sorted((DOCS / "tutorials").glob("*.md"))
    assert [page.stem for page in pages] == ["ci", "researcher", "reviewer"]
    for page in pages:
        assert "](../explanation/words.md)" in page.read_text("utf-8"), page.name
