"""The page in a real browser, as its readers use it."""

import csv
import io
import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt

import reports
from tests.reports.made_up import CONTROLS, SUBJECTS
from tests.reports.page.asked import FIDELITY, METHODS, cards, chip, column, region


@pytest.fixture(scope="module")
def index(run):
    return reports.render(run, run.path / "page in browser")


def test_first_screen_shows_the_verdict_the_main_table_and_the_main_figure(index, visit):
    with visit(index) as page:
        assert page.title() == "A made-up run"
        verdict = page.locator(".verdict")
        assert "clearly best in 3 headline scores, over 6 subjects." in verdict.inner_text()
        assert "dreambooth" in page.locator(".verdict + p").inner_text()
        figure = page.get_by_role("region", name="figure: fidelity against alignment", exact=True)
        for shown in (verdict, region(page, "main table"), figure):
            assert shown.bounding_box()["y"] < 700
        assert figure.locator("img:visible").evaluate("image => image.naturalWidth") > 0


def test_tables_sort_by_number_within_their_block(index, visit):
    means = pd.read_csv(index.parent / "comparison.csv").set_index("label")[FIDELITY]
    with visit(index) as page:
        heads = region(page, "main table").locator("thead th")
        button = heads.nth(2).get_by_role("button")
        button.click()
        assert heads.nth(2).get_attribute("aria-sort") == "ascending"
        shown = column(page, "main table", 0)
        assert shown[:3] == sorted(METHODS, key=lambda name: means[name])
        assert shown[3:6] == sorted(CONTROLS, key=lambda name: means[name])
        button.click()
        assert heads.nth(2).get_attribute("aria-sort") == "descending"
        assert column(page, "main table", 0)[:3] == sorted(METHODS, key=lambda name: -means[name])
        heads.nth(0).get_by_role("button").click()
        assert heads.nth(2).get_attribute("aria-sort") is None
        assert column(page, "main table", 0)[:3] == sorted(METHODS)


def test_what_is_missing_sorts_last_in_either_direction(index, visit):
    with visit(index) as page:
        names = region(page, "cost").locator("thead th").all_inner_texts()
        place = names.index("trainable parameters")
        button = region(page, "cost").locator("thead th").nth(place).get_by_role("button")
        for _ in range(2):
            button.click()
            assert column(page, "cost", place) == ["33.1k"] * 3 + ["\N{EN DASH}"] * 3


def test_search_keeps_the_rows_that_match(index, visit):
    with visit(index) as page:
        search = page.get_by_role("searchbox", name="Search in table: all scores")
        search.fill("TEXT")
        assert sorted(column(page, "all scores", 0)) == ["textboost", "textual-inversion"]
        assert page.get_by_text("2 of 8 rows").is_visible()
        search.fill("")
        assert len(column(page, "all scores", 0)) == 8


def copied(page, form, name="main table"):
    page.get_by_role("button", name=f"Copy as {form}: table: {name}").click()
    page.get_by_text(f"Copied as {form}").wait_for()
    return page.evaluate("navigator.clipboard.readText()")


def test_copies_what_is_shown_as_csv_markdown_and_latex(index, visit):
    with visit(index) as page:
        region(page, "main table").locator("thead th").nth(2).get_by_role("button").click()
        page.get_by_role("searchbox", name="Search in table: main table").fill("text")
        means, methods = (column(page, "main table", place) for place in (2, 0))
        assert len(methods) == 2
        rows = list(csv.reader(io.StringIO(copied(page, "CSV"))))
        assert rows[0][2] == "fidelity unseen ↑, efficientnet-lite0"
        assert [row[0] for row in rows[1:]] == methods
        assert [row[2].split(" [")[0] for row in rows[1:]] == means
        assert all(re.fullmatch(r"0\.\d{3} \[0\.\d{3}.0\.\d{3}\]", row[2]) for row in rows[1:])

        parsed = MarkdownIt("commonmark").enable("table").parse(copied(page, "Markdown"))
        texts = [token.content for token in parsed if token.type == "inline"]
        assert len(texts) == 3 * len(rows[0])
        assert texts[len(rows[0])] == methods[0].replace("_", r"\_")

        page.get_by_role("searchbox", name="Search in table: main table").fill("")
        lines = copied(page, "LaTeX").splitlines()
        assert lines[0] == r"\begin{tabular}{lrrrr}"
        assert lines[1:2] + lines[-2:] == [r"\toprule", r"\bottomrule", r"\end{tabular}"]
        assert all(line.count(" & ") == 4 for line in lines if line.endswith(r"\\"))
        [best] = [line for line in lines if line.startswith("dreambooth &")]
        assert re.search(r"\\textbf\{0\.\d{3} \[0\.\d{3}--0\.\d{3}\]\}", best)


GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(251, 251, 250)", "rgb(20, 21, 23)"


def inks(page):
    """Which of the inks of text the figures are drawn in: light pages' or dark pages'."""
    found = page.locator("img[data-inks]").evaluate_all(
        "all => all.map(image => atob(image.src.split(',')[1]).includes('#e8e8e6'))"
    )
    assert len(found) > 3
    return {"dark" if dark else "light" for dark in found}


def test_dark_as_the_system_says_or_as_the_reader_chooses(index, visit):
    with visit(index, color_scheme="dark") as page:
        assert (page.evaluate(GROUND), inks(page)) == (DARK, {"dark"})
        page.get_by_role("button", name="Light", exact=True).click()
        assert (page.evaluate(GROUND), inks(page)) == (LIGHT, {"light"})
        page.reload()
        assert (page.evaluate(GROUND), inks(page)) == (LIGHT, {"light"})
    with visit(index, color_scheme="light") as page:
        assert (page.evaluate(GROUND), inks(page)) == (LIGHT, {"light"})
        page.get_by_role("button", name="Dark", exact=True).click()
        assert (page.evaluate(GROUND), inks(page)) == (DARK, {"dark"})
        figure = page.locator("img[data-inks]").first
        figure.evaluate("image => image.decode()")
        assert figure.evaluate("image => image.naturalWidth") > 100


def test_a_phone_scrolls_in_one_direction_only(index, visit):
    across = "[document.documentElement.scrollWidth, innerWidth]"
    with visit(index, 390, 844, has_touch=True) as page:
        assert page.evaluate(across) == [390, 390]
        cards(page, 4)
        page.locator(".card").nth(3).click()
        box = page.get_by_role("dialog").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert page.evaluate(
            "(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))"
        )


def test_on_a_phone_no_button_lies_over_the_links_and_cut_tables_say_so(index, visit):
    hint = "More columns to the right"
    with visit(index, 390, 844) as page:
        links = page.locator("nav a")
        page.locator("nav div").evaluate("bar => bar.scrollTo(0, 0)")
        button = page.get_by_role("button", name="Dark", exact=True).bounding_box()
        for place in range(links.count()):
            link = links.nth(place).bounding_box()
            assert link["x"] >= button["x"] + button["width"]
        main = page.locator(".grid").first
        assert main.get_by_text(hint).is_visible()
        box = main.locator(".scroll")
        box.evaluate("box => box.scrollTo(1000, 0)")
        last = box.locator("thead th").last.bounding_box()
        assert last["x"] + last["width"] <= 390
    with visit(index) as page:
        assert not page.locator(".grid").first.get_by_text(hint).is_visible()


def test_printed_there_are_no_controls_and_nothing_is_cut(index, visit):
    with visit(index, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.locator("nav:visible, .tools:visible, #filters:visible").count() == 0
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert inks(page) == {"light"}
        cut = "all => all.filter(e => e.scrollHeight > e.clientHeight + 1).length"
        assert page.locator(".scroll").evaluate_all(cut) == 0


def test_without_scripts_tables_and_figures_are_there(index, visit):
    with visit(index, java_script_enabled=False) as page:
        assert page.locator("td:visible").count() > 50
        assert page.locator("noscript p").is_visible()


def test_a_page_of_a_run_that_goes_on_loads_itself_again_and_keeps_its_filters(
    run, tmp_path, visit
):
    index = reports.render(run, tmp_path, embed=True, refresh_seconds=3600)
    assert not (tmp_path / "thumbnails").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    with visit(index.rename(alone / "report.html")) as page:
        refresh = page.locator('meta[http-equiv="refresh"]')
        assert refresh.get_attribute("content") == "3600"
        page.get_by_label("Subject", exact=True).select_option(label="vase_f")
        chip(page, "base").click()
        assert page.get_by_text("20 of 144 pictures").is_visible()
        page.reload()
        assert page.get_by_text("20 of 144 pictures").is_visible()
        # The pictures lie inside: nothing is beside this file.
        assert cards(page, 1)[0].startswith("dreambooth:")
        first = page.locator(".card img").first
        first.evaluate("image => image.decode()")
        assert first.evaluate("image => image.naturalWidth") == 64


@pytest.mark.parametrize("options", [{"color_scheme": "dark"}, {"width": 390, "height": 844}])
def test_axe_finds_nothing_serious(index, visit, options):
    from axe_playwright_python.sync_playwright import Axe

    with visit(index, **options) as page:
        cards(page, 12)
        found = axe_violations(Axe(), page)
        page.locator(".card").first.click()
        page.get_by_role("button", name="Slider").click()
        assert found + axe_violations(Axe(), page) == []


def axe_violations(axe, page):
    found = axe.run(page).response["violations"]
    return [
        (v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def test_pages_show_as_many_subjects_as_were_run(index, visit):
    with visit(index) as page:
        assert page.locator("article.subject h3 bdi").all_inner_texts() == list(SUBJECTS)
