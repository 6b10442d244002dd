"""docs/published-figures.md: every claim that the project carries, as it stands in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.claims.file import load_claims, parse_claims, shipped_names
from benchmark.claims.judge import judge_all
from benchmark.published_figures import judged_without_runs, markdown

PAGE = Path(__file__).parents[2] / "docs" / "published-figures.md"
CLAIMS = """
[[claim]]
id = "time"
sentence = "It takes 3 minutes | or <so>."
source = "arXiv 0000.00000, table 9"
backbone = "sd15"
protocol = "strict"
expression = "seconds(textboost) < 3 min"
note = "On one card."

[[claim]]
id = "mine"
sentence = "A row of 768."
source = "this project"
expression = "trainable_parameters(textual-inversion, sd15) == 768"

[[claim]]
id = "wrong"
sentence = "A row of 9."
source = "arXiv 0000.00000"
expression = "trainable_parameters(textual-inversion, sd15) == 9"

[[claim]]
id = "other"
sentence = "Another method reaches 1."
source = "arXiv 0000.00000"
unjudged = "it is not among the methods"
"""


def test_a_claim_appears_with_what_can_be_said_of_it_without_a_run():
    file = parse_claims(CLAIMS, "made-up")
    page = markdown([file], judge_all([file], []))
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows[0] == (
        "| `time` | It takes 3 minutes \\| or &lt;so>. *On one card.* | arXiv 0000.00000, table 9 "
        "| `< 3 min` | not measured; needs a run of `textboost` on `sd15`, protocol `strict` |"
    )
    assert rows[1].endswith("| `== 9` | **REFUTED, exact**: 768 |")
    assert rows[2].endswith("| none | not judged: it is not among the methods |")
    assert rows[3].endswith("| `== 768` | **SUPPORTED, exact**: 768 |")
    published, own = page.split("### Of this project, made-up")
    assert "`mine`" in own
    assert "`mine`" not in published
    assert "4 claims: 1 not measured, 1 SUPPORTED, exact, 1 REFUTED, exact, 1 not judged." in page


def test_the_page_holds_every_claim_of_the_projects_files():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    for claim in (claim for name in shipped_names() for claim in load_claims(name).claims):
        fitting = [row for row in rows if row.startswith(f"| `{claim.id}` |")]
        assert any(claim.source.replace("<", "&lt;") in row for row in fitting), claim.id


@pytest.mark.slow
@pytest.mark.long
def test_the_page_is_what_the_claims_files_and_methods_say():
    assert PAGE.read_text("utf-8") == markdown(*judged_without_runs())
