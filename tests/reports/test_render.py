"""The whole report of a made-up run, read back as a reader or a browser would."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

import reports
from benchmark.collect import collect
from tests.reports.made_up import CONTROLS, ENCODERS, PROMPTS, SKILL, SUBJECTS, cell, make_run


class Page(HTMLParser):
    """What a page refers to and shows."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.images, self.open = [], [], []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.sources += [found[n] for n in ("src", "srcset", "href", "action") if n in found]
        if tag == "img":
            self.images.append(found)
        if tag not in ("meta", "img", "source", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words += " " + data

    @property
    def text(self):
        return re.sub(r"\s+", " ", self.words)


def gallery_of(index):
    """What the page's script reads."""
    [content] = re.findall(
        r'<script type="application/json" id="pictures">(.*?)</script>', index.read_text("utf-8")
    )
    return json.loads(content)


@pytest.fixture(scope="module")
def index(run):
    return reports.render(run)


@pytest.fixture(scope="module")
def page(index):
    return Page(index.read_text(encoding="utf-8"))


def test_writes_every_file(run, index):
    assert index == run.path / "report" / "index.html"
    assert {path.name for path in index.parent.iterdir()} == {
        "index.html",
        "comparison.csv",
        "comparison.md",
        "differences.csv",
        "differences.md",
        "costs.csv",
        "costs.md",
        "ranks.png",
        "ranks.svg",
        "settings.csv",
        "thumbnails",
        "fidelity-alignment.svg",
        "fidelity-alignment.png",
    }


def test_page_is_well_formed_and_refers_to_nothing_outside_itself(index, page):
    assert page.open == []
    assert all(source.startswith(("data:image/svg+xml;base64,", "#")) for source in page.sources)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", index.read_text())


def test_page_says_what_was_run_on_what(page):
    assert "A made-up run" in page.text
    assert "Backbone: toy world: no figures for any paper" in page.text
    assert "dpm++/25/7.5" in page.text


def test_gallery_holds_every_picture_of_every_method(index):
    found = gallery_of(index)
    assert len(found["files"]) == len(SUBJECTS) * len(SKILL) * len(PROMPTS) * 2
    assert {method["name"] for method in found["methods"]} == set(SKILL)
    assert {method["name"] for method in found["methods"] if method["control"]} == set(CONTROLS)
    for subject in found["subjects"]:
        assert (len(subject["seen"]), len(subject["unseen"])) == (1, 2)
        found["files"] += subject["seen"] + subject["unseen"]
    assert all((index.parent / file).is_file() for file in found["files"])


def test_every_picture_carries_its_own_scores(run, index):
    found = gallery_of(index)
    results = run.results()
    scores = {score["name"]: place for place, score in enumerate(found["scores"])}
    place = 0
    for method, subject, train_seed, prompts, seeds, pixelated in found["cells"]:
        assert pixelated
        for prompt in prompts:
            for seed in seeds:
                rows = results[
                    (results["method"] == found["methods"][method]["name"])
                    & (results["subject"] == found["subjects"][subject]["name"])
                    & (results["train_seed"] == train_seed)
                    & (results["prompt_id"] == found["prompts"][prompt]["id"])
                    & (results["seed"] == seed)
                ]
                for encoder in ENCODERS:
                    mine = rows[(rows["encoder"] == encoder) & (rows["reference"] == "unseen")]
                    score = scores[f"fidelity unseen ({encoder}) ↑"]
                    assert found["values"][score][place] == pytest.approx(
                        mine["value"].item(), abs=5e-5
                    )
                place += 1
    assert place == len(found["files"])
    # Scores of whole sets and real photos' yardsticks belong to no picture.
    assert {score.split(" ")[0] for score in scores} == {"fidelity", "alignment"}


def test_page_shows_the_numbers_of_the_csv(index, page):
    table = pd.read_csv(index.parent / "comparison.csv").set_index("label")
    column = "fidelity unseen (efficientnet-lite0) ↑"
    low, high = table.loc["textboost", [f"{column} low", f"{column} high"]]
    assert f"{table.loc['textboost', column]:.3f}" in page.text
    assert f"{low:.3f}\N{EN DASH}{high:.3f}" in page.text
    assert "not measured" in page.text


def test_environment_and_configuration_are_on_the_page(page):
    assert re.search(r"memory\s+16 GB", page.text)
    assert 'sampler = "dpm++"' in page.text


def test_same_run_same_bytes(run, index):
    folder = run.path / "again"
    again = reports.render(run, folder)
    assert again == folder / "index.html"
    for name in ("index.html", "comparison.csv", "fidelity-alignment.svg"):
        assert (folder / name).read_bytes() == (index.parent / name).read_bytes()


def test_failed_and_pending_cells_are_on_the_page_as_text_never_as_markup(tmp_path):
    cells = [cell(method, subject) for subject in SUBJECTS[:2] for method in ("base", "textboost")]
    run = make_run(
        tmp_path / "run", cells, failed={("textboost", "dog_b")}, pending={("base", "dog_b")}
    )
    text = reports.render(run).read_text(encoding="utf-8")
    page = Page(text)
    assert "1 of 4 cells failed" in page.text
    assert "1 of 4 cells are pending" in page.text
    assert "not enough <memory> for 3 GB" in page.text
    assert "<memory>" not in text


def test_a_run_without_a_finished_cell_still_has_a_page(tmp_path):
    cells = [cell("textboost", "dog_a")]
    run = make_run(tmp_path / "run", cells, failed={("textboost", "dog_a")})
    page = Page(reports.render(run).read_text(encoding="utf-8"))
    assert "No cell has been scored yet." in page.text
    assert "OutOfMemoryError" in page.text


def test_a_run_with_one_seed_and_no_alignment_says_why_there_is_no_scatter(tmp_path):
    cells = [
        cell(m, s, seeds=[0]) for s in SUBJECTS[:2] for m in ("base", "textboost", "dreambooth")
    ]
    run = make_run(tmp_path / "run", cells)
    for made in cells:
        folder = run.folder(made.key)
        scores = pd.read_parquet(folder.path / "scores.parquet")
        scores[scores["metric"] == "fidelity"].to_parquet(folder.path / "scores.parquet")
        folder.finish(made)
    collect(run)
    index = reports.render(run)
    page = Page(index.read_text(encoding="utf-8"))
    assert "No scatter" in page.text
    assert not (index.parent / "fidelity-alignment.svg").exists()
    assert "p-value" in page.text


SIGNS = ("●", "≈", "95% bootstrap", "95% interval", "Ellipses are", "The bar is")


def test_only_what_is_on_the_page_is_explained_there(index, page, tmp_path):
    assert "● marks the best method of a column, ≈ those that are not" in page.text
    assert all(sign in page.text for sign in SIGNS)
    assert 'class="best"' in index.read_text()
    assert "held-out photos are to those trained on (seen to unseen)" in page.text
    assert page.text.count("copy returns the training photo") == 1
    assert page.text.count("Alignment is a cosine") == 2
    few = make_run(tmp_path / "run", [cell(m, "dog_a") for m in SKILL if m != "copy"])
    small = reports.render(few)
    text = Page(small.read_text(encoding="utf-8")).text
    assert [sign for sign in SIGNS if sign in text] == []
    assert 'class="best"' not in small.read_text()
    assert "an interval needs 5 of them. No best method is marked: that needs 6 subjects." in text
    assert "copy returns" not in text
    written = (small.parent / "comparison.md").read_text(encoding="utf-8")
    assert written.endswith("\nNo best method is marked: that needs 6 subjects.\n")
    assert "No best" not in (index.parent / "comparison.md").read_text(encoding="utf-8")
    first, second = text.index("Diversity cannot tell"), text.index("All scores of every method")
    assert first > second


def test_importing_reports_is_light():
    code = (
        "import sys, reports; "
        "print([m for m in ('pandas', 'matplotlib', 'torch', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
