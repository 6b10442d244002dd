"""Nothing that is missing shrinks a mean silently."""

import json
import re

import pytest

from reports import render
from reports.export import write_tables
from reports.shortfalls import one_coloured, shortfalls
from reports.study import open_study
from tests.reports.called import tbbench
from tests.reports.made_up import cell, make_run


def of(method, *states, flags=None):
    return [{"method": method, "preset": "toy", "status": s, "flags": flags or {}} for s in states]


def test_a_method_with_all_its_cells_is_not_spoken_of():
    assert shortfalls(of("a", "done", "done")) == []
    assert shortfalls([{"method": "a", "preset": "toy"}]) == []


def test_what_is_missing_is_counted_by_method():
    cells = [*of("a", "done", "failed"), *of("b", "pending", "failed", "failed"), *of("c", "done")]
    assert shortfalls(cells) == [
        "a (toy): 1 of 2 cells are done (1 failed); its numbers are of those alone.",
        "b (toy): 0 of 3 cells are done (2 failed, 1 pending); it has no numbers.",
    ]


def test_pictures_of_one_colour_are_counted_by_method():
    black = {"one_colour": {"count": 2, "names": ["a-0.png", "a-1.png"]}}
    cells = [*of("a", "done"), *of("b", "done", "done", flags=black)]
    (sentence,) = one_coloured(cells)
    assert sentence.startswith("b (toy): 4 pictures are of one single colour, such as black, in 2")


def test_it_stands_beside_every_table(tmp_path):
    cells = [cell(m, s) for m in ("textboost", "base") for s in ("dog_a", "cat_c")]
    make_run(tmp_path / "run", cells, failed={("textboost", "dog_a")})
    said = "textboost (toy): 1 of 2 cells are done (1 failed); its numbers are of those alone."
    study = open_study([tmp_path / "run"])
    page = render(study, tmp_path / "out")
    assert page.read_text(encoding="utf-8").count(said) >= 3  # first, by subject, by prompt
    escaped = said.replace("(", r"\(").replace(")", r"\)")
    for name in ("comparison", "costs"):
        text = (tmp_path / "out" / f"{name}.md").read_text(encoding="utf-8")
        assert said in text or escaped in text
    about = (study.results(), study.costs(), study.cell_info(), None)
    for path in write_tables(*about, tmp_path / "tables", ["html"]):
        if path.name != "table_settings.html":
            assert said in path.read_text(encoding="utf-8"), path.name
    done = tbbench("report", tmp_path / "run")
    assert said in done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"earlier_not_known": True},
            "What machine and software cells were made with is not known",
        ),
        (
            {"other_environments": [{"code": "another", "worker": {}}]},
            "Cells may have been made with different software: scores and costs need not compare.",
        ),
        ({}, ""),
    ],
)
def test_tables_that_are_taken_elsewhere_say_that_software_differs(tmp_path, change, said):
    run = make_run(tmp_path / "run", [cell("textboost", "dog_a"), cell("base", "dog_a")])
    file = run.path / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    study = open_study([run.path])
    render(study, tmp_path / "out")
    about = (study.results(), study.costs(), study.cell_info(), None)
    files = write_tables(*about, tmp_path / "tables", ["latex"])
    files += [tmp_path / "out" / f"{name}.md" for name in ("comparison", "costs")]
    for path in files:
        if path.name != "table_settings.tex":
            text = path.read_text(encoding="utf-8")
            assert said in text if said else "software" not in text, path.name


def test_a_failed_cell_has_its_stage_and_the_end_of_its_log_as_text(tmp_path):
    made = cell("textboost", "dog_a")
    run = make_run(tmp_path / "run", [made, cell("base", "dog_a")], failed={("textboost", "dog_a")})
    folder = run.folder(made.key)
    folder.fail(made, "SIGSEGV", "killed", "train", "last <b>line</b>")
    page = render(open_study([tmp_path / "run"]), tmp_path / "out").read_text(encoding="utf-8")
    assert "last &lt;b&gt;line&lt;/b&gt;" in page
    assert "<details>" in page
    section = page.partition('<section id="failed">')[2].partition("</section>")[0]
    cells = re.findall(r"<bdi[^>]*>([^<]*)</bdi></t[dh]>", section)
    assert cells[-5:] == ["1", "train", "SIGSEGV", "killed", f"cells/{made.key}"]
