"""The gallery and its viewer in a real browser, as readers use them."""

import re
from dataclasses import replace

import pytest

import reports
from tests.reports.made_up import CONTROLS, cell, make_run
from tests.reports.page.asked import FIDELITY, METHODS, cards, chip


@pytest.fixture(scope="module")
def index(run):
    return reports.render(run, run.path / "gallery in browser")


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
        page.get_by_label("Prompt", exact=True).select_option(label="a [subject] on the beach")
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


@pytest.mark.parametrize(("width", "across"), [(1280, 6), (800, 3), (390, 3)])
def test_a_column_of_the_gallery_holds_one_method(index, visit, width, across):
    with visit(index, width, 900) as page:
        for name in CONTROLS:
            chip(page, name).click()
        made = cards(page, 6)[:6]
        methods = [card.split(":")[0] for card in made]
        assert methods == ["dreambooth", "textboost", "textual-inversion"] * 2
        places = page.locator("#wall .card").evaluate_all(
            "all => all.slice(0, 6).map(card => card.getBoundingClientRect().x)"
        )
        assert len(set(places)) == across
        assert across == 6 or places[:3] == places[3:]


def test_a_method_without_a_picture_keeps_its_place(tmp_path, visit):
    cells = [cell(method, subject) for subject in ("dog_a", "cat_c") for method in METHODS]
    # It lacks a seed of one subject, and all of the other.
    left = [replace(one, seeds=[1]) if one.method == "textboost" else one for one in cells]
    run = make_run(tmp_path / "run", left, failed=[("textboost", "cat_c")])
    with visit(reports.render(run)) as page:
        assert page.get_by_text("18 of 18 pictures").is_visible()
        cards(page, 18)
        shown = page.locator("#wall .block").evaluate_all(
            """blocks => blocks.map(block => [...block.querySelectorAll(".cards > *")].map(card =>
                 [card.querySelector(".line").textContent, card.textContent.includes("no picture"),
                  Math.round(card.getBoundingClientRect().x)]))"""
        )
        places = {}
        for block, lacking in zip(shown, ([0], [0], [0, 1], [0, 1]), strict=True):
            assert [name for name, _, _ in block] == sorted(METHODS) * 2
            gaps = [number for number, (_, gap, _) in enumerate(block) if gap]
            assert gaps == [1 + 3 * seed for seed in lacking]
            for number, (_, _, x) in enumerate(block):
                assert places.setdefault(number, x) == x
        page.locator("#wall .gap").first.click()
        assert not page.get_by_role("dialog").is_visible()
        chip(page, "textboost").click()
        assert page.locator("#wall .gap").count() == 0


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
        page.get_by_label("Prompt", exact=True).select_option(label="a [subject] on the beach")
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
