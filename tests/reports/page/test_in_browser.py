"""The page in a real browser, as its readers use it."""

import csv
import io
import re

import pandas as pd
import pytest
from markdown_it import MarkdownIt

import reports
from tests.reports.made_up import CONTROLS, SKILL, SUBJECTS

METHODS = [name for name in SKILL if name not in CONTROLS]
FIDELITY = "fidelity unseen (efficientnet-lite0) ↑"


@pytest.fixture(scope="module")
def index(run):
    return reports.render(run, run.path / "page in browser")


def region(page, name):
    return page.get_by_role("region", name=f"table: {name}", exact=True)


def column(page, name, number):
    """Texts of a column without the second lines, in the order that is shown."""
    rows = region(page, name).locator("tbody tr:not(.band):visible")
    return rows.evaluate_all(
        """(rows, n) => rows.map(row => {
             const cell = row.cells[n];
             return (cell.querySelector("b, bdi") ?? cell).textContent.trim();
           })""",
        number,
    )


def chip(page, name):
    """The button that shows or hides a method's pictures."""
    return page.get_by_role("group", name="Methods").get_by_role("button", name=name, exact=True)


def cards(page, count):
    """Alternative texts of the first cards, once they are there."""
    page.locator("#found").scroll_into_view_if_needed()
    page.locator("#wall .card").nth(count - 1).wait_for()
    return page.locator("#wall .card img").evaluate_all("all => all.map(image => image.alt)")


def test_first_screen_shows_the_verdict_the_main_table_and_the_main_figure(index, visit):
    with visit(index) as page:
        assert page.title() == "A made-up run"
        verdict = page.locator(".verdict")
        assert "dreambooth" in verdict.inner_text()
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


def test_filters_leave_the_pictures_that_match(index, visit):
    with visit(index) as page:
        assert page.get_by_text("144 of 144 pictures").is_visible()
        page.get_by_label("Subject", exact=True).select_option(label="cat_c")
        page.get_by_label("Seed", exact=True).select_option("1")
        for name in CONTROLS:
            chip(page, name).click()
        assert page.get_by_text("6 of 144 pictures").is_visible()
        expected = [
            f"{method}: a dog {where}, seed 1"
            for where in ("in the jungle", "on the beach")
            for method in ("dreambooth", "textboost", "textual-inversion")
        ]
        assert cards(page, 6) == expected
        page.get_by_label("Prompt", exact=True).select_option(label="a {subject} on the beach")
        assert cards(page, 3) == expected[3:]
        photos = page.get_by_role("complementary", name="photos of cat_c").locator("img")
        assert photos.evaluate_all("all => all.map(image => image.alt)") == [
            "training photo 1 of cat_c",
            "held-out photo 1 of cat_c",
            "held-out photo 2 of cat_c",
        ]
        for name in METHODS:
            chip(page, name).click()
        assert page.get_by_text("No picture matches these filters.").is_visible()


def test_best_and_worst_pictures_by_a_score_come_first(run, index, visit):
    results = run.results()
    rows = results[(results["metric"] == "alignment") & results["seed"].notna()]
    with visit(index) as page:
        for word, picked in (
            ("best", rows["value"].nlargest(5)),
            ("worst", rows["value"].nsmallest(5)),
        ):
            order = page.get_by_label("Order", exact=True)
            order.select_option(label=f"{word} alignment (toy-clip) ↑")
            wanted = results.loc[picked.index]
            assert cards(page, 5)[:5] == [
                f"{row.method}: {row.prompt}, seed {int(row.seed)}" for row in wanted.itertuples()
            ]
            lines = page.locator("#wall .card").nth(0).locator(".line").all_inner_texts()
            assert f"{picked.iloc[0]:.3f} alignment" in lines
            assert wanted.iloc[0]["subject"] in lines[1]


def test_two_methods_side_by_side_with_their_scores_and_the_photos(run, index, visit):
    results = run.results().query(
        "subject == 'dog_a' and prompt_id == 'in-the-jungle' and seed == 0 "
        "and metric == 'fidelity' and reference == 'unseen' and encoder == 'efficientnet-lite0'"
    )
    values = results.set_index("method")["value"]
    with visit(index) as page:
        page.get_by_alt_text("textboost: a dog in the jungle, seed 0").first.click()
        viewer = page.get_by_role("dialog")
        assert viewer.get_by_role("heading", name="a dog in the jungle").is_visible()
        viewer.get_by_label("Right", exact=True).select_option(label="base")
        pair = viewer.locator(".stage img")
        assert pair.evaluate_all("all => all.map(image => image.alt.split(':')[0])") == [
            "textboost",
            "base",
        ]
        lefts, rights = (pair.nth(place).bounding_box() for place in (0, 1))
        assert lefts["x"] + lefts["width"] <= rights["x"]
        row = viewer.get_by_role("row", name=re.compile(re.escape(FIDELITY)))
        assert row.locator("td").all_inner_texts() == [
            f"{values['textboost']:.3f}",
            f"{values['base']:.3f}",
            f"{round(values['base'], 4) - round(values['textboost'], 4):+.3f}",
        ]
        assert viewer.locator(".photos img").count() == 3
        viewer.get_by_role("button", name="Next").click()
        assert "seed 1; 2 of 24" in viewer.locator("p").first.inner_text()


def test_a_reader_gets_from_the_viewer_to_the_pictures_own_files(run, index, visit):
    keys = {cell.method: cell.key for cell in run.planned if cell.subject == "cat_c"}
    with visit(index) as page:
        page.get_by_label("Subject", exact=True).select_option(label="cat_c")
        page.get_by_label("Prompt", exact=True).select_option(label="a {subject} on the beach")
        cards(page, 12)
        page.get_by_alt_text("textboost: a dog on the beach, seed 1").click()
        viewer = page.get_by_role("dialog")
        viewer.get_by_label("Right", exact=True).select_option(label="oracle")
        for method in ("textboost", "oracle"):
            with page.expect_popup() as opened:
                viewer.get_by_role("link", name=method, exact=True).click()
            opened.value.wait_for_load_state()
            assert opened.value.url == run.image(keys[method], "on-the-beach", 1).as_uri()
            assert opened.value.locator("img").evaluate("image => image.naturalWidth") == 64
            opened.value.close()
        # A picture beside itself needs one link.
        viewer.get_by_label("Right", exact=True).select_option(label="textboost")
        assert viewer.get_by_role("link").all_inner_texts() == ["textboost"]


def test_the_slider_uncovers_one_picture_over_the_other(index, visit):
    with visit(index) as page:
        page.locator(".card").first.click()
        page.get_by_role("button", name="Slider").click()
        below, above = page.locator(".stage figure").all()
        assert below.bounding_box()["x"] == above.bounding_box()["x"]
        slider = page.get_by_role("slider")
        slider.focus()
        for key, part in (("End", "100%"), ("Home", "0%"), ("ArrowRight", "1%")):
            slider.press(key)
            clipped = above.evaluate("figure => figure.style.clipPath")
            assert clipped.replace("0px", "0") == f"inset(0 0 0 {part})".replace("0px", "0")


def test_blinking_shows_one_method_then_the_other_until_it_is_stopped(index, visit):
    with visit(index) as page:
        page.get_by_alt_text("textboost: a dog in the jungle, seed 0").first.click()
        page.get_by_label("Right", exact=True).select_option(label="copy")
        page.get_by_role("button", name="Blink").click()
        above = page.locator(".stage figure").nth(1)
        for name, visible in (("textboost", False), ("copy", True), ("textboost", False)):
            page.get_by_text(f"Shown: {name}").wait_for()
            assert above.locator("img").is_visible() == visible
        page.get_by_role("button", name="Switch").click()
        shown = page.get_by_text("Shown:").inner_text()
        page.wait_for_timeout(1600)
        assert page.get_by_text("Shown:").inner_text() == shown
        page.get_by_role("button", name="Switch").click()
        assert page.get_by_text("Shown:").inner_text() != shown


def test_who_asked_for_less_motion_starts_the_blinking_himself(index, visit):
    with visit(index, reduced_motion="reduce") as page:
        page.locator(".card").first.click()
        page.get_by_role("button", name="Blink").click()
        shown = page.get_by_text("Shown:").inner_text()
        page.wait_for_timeout(1600)
        assert page.get_by_text("Shown:").inner_text() == shown


def test_everything_is_done_by_keyboard_alone(index, visit):
    with visit(index) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        seen = []
        for _ in range(60):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.className"))
            if seen[-1] == "card":
                break
        assert seen[-1] == "card"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        card = page.evaluate("document.activeElement.dataset.at")
        page.keyboard.press("Enter")
        about = page.get_by_role("dialog").locator("p").first
        assert "1 of 24" in about.inner_text()
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        assert "2 of 24" in about.inner_text()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert "24 of 24" in about.inner_text()
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()
        assert page.evaluate("document.activeElement.dataset.at") == card


def test_every_picture_is_reached_by_tabbing_through_the_wall(index, visit):
    with visit(index) as page:
        page.locator(".card").first.focus()
        reached = [page.evaluate("document.activeElement.dataset.at")]
        for _ in range(143):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.dataset.at"))
        assert sorted(map(int, reached)) == list(range(144))


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
