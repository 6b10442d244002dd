"""A blind study from the run to its win rates, answered in a real browser."""

import csv
import json

import pytest

from tests.reports.called import tbbench
from tests.reports.made_up import cell, make_run
from tests.reports.page.conftest import chromium, visit  # noqa: F401

HOSTILE = "<b>dog</b>"
SUBJECTS = ("s0", "s1", "s2", "s3", "s4", "s5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(page, key) of 12 pairs on fidelity and the same on alignment."""
    folder = tmp_path_factory.mktemp("study")
    cells = [cell(m, s, class_noun=HOSTILE) for s in SUBJECTS for m in ("textboost", "dreambooth")]
    make_run(folder / "run", cells)
    found = {}
    for question in ("fidelity", "alignment"):
        options = ["--ab-question", question, "--ab-pairs", 12, "--out", folder / question]
        done = tbbench("report", folder / "run", "--ab-study", *options)
        assert done.returncode == 0, done.stderr
        assert f"12 pairs on {question}\n" in done.stdout
        (page,) = (folder / question).glob("study-*.html")
        (key,) = (folder / question).glob("key-*.json")
        found[question] = (page, key)
    return found


def pictures(key):
    """Id of a picture -> (method, subject)."""
    pairs = json.loads(key.read_text())["pairs"]
    return {id: (m, pair["subject"]) for pair in pairs for id, m in pair["pictures"].items()}


def begin(page, rater):
    page.get_by_label("Your name").fill(rater)
    page.keyboard.press("Enter")


def on_screen(page, side):
    return page.locator(f"#{side}").get_attribute("data-picture")


def save(page, folder, name):
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the answers").click()
    path = folder / name
    download.value.save_as(path)
    return path, download.value.suggested_filename


def test_a_study_is_answered_by_keys_alone_saved_and_scored(visit, made, tmp_path):  # noqa: F811
    page_file, key = made["fidelity"]
    whose = pictures(key)
    # anna prefers textboost everywhere but on s0; ben does so on s0 to s2, and on s3 to s5 he sees
    # no difference.
    files = []
    for rater in ("anna", "ben"):
        with visit(page_file) as page:
            begin(page, rater)
            for number in range(12):
                assert page.locator("#progress-text").inner_text() == f"Pair {number + 1} of 12"
                left, subject = whose[on_screen(page, "left")]
                wanted = "dreambooth" if (rater, subject) == ("anna", "s0") else "textboost"
                key_name = "ArrowLeft" if left == wanted else "ArrowRight"
                if rater == "ben" and subject in ("s3", "s4", "s5"):
                    key_name = "ArrowDown"
                page.keyboard.press(key_name)
            thanks = page.get_by_role("heading", name="Thank you")
            assert thanks.is_visible()
            page.get_by_role("button", name="Back to the last pair").click()
            assert page.locator("#progress-text").inner_text() == "Pair 12 of 12"
            page.keyboard.press(key_name)
            assert thanks.is_visible()
            path, suggested = save(page, tmp_path, f"{rater}.csv")
            assert suggested == f"answers-{json.loads(key.read_text())['study']}-{rater}.csv"
            files.append(path)
    done = tbbench("score", "--ab", *files, "--key", key, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (record,) = found["win_rates"]
    # dreambooth against textboost: anna gave it the 2 pairs of s0, ben half of the 6 of s3 to s5.
    assert (record["first"], record["second"]) == ("dreambooth", "textboost")
    assert (record["wins"], record["losses"], record["same"]) == (2, 16, 6)
    assert record["win_rate"] == pytest.approx((2 + 6 / 2) / 24)
    assert record["low"] <= record["win_rate"] <= record["high"]
    assert found["agreement"]["pairs"] == 12
    assert -1 <= found["agreement"]["alpha"] < 1
    words = tbbench("score", "--ab", *files, "--key", key).stdout
    assert "Question: fidelity. 24 answers by 2 raters to 12 of 12 pairs." in words
    assert "dreambooth against textboost: win rate 20.8% [95% interval" in words
    assert "Krippendorff's alpha" in words


def test_order_and_sides_are_drawn_for_every_rater_and_photos_stand_above(visit, made):  # noqa: F811
    page_file, key = made["fidelity"]
    whose = pictures(key)
    orders, lefts = [], []
    for rater in "xyz":
        with visit(page_file) as page:
            begin(page, rater)
            photos = page.locator("#photos img")
            assert photos.count() == 3
            assert page.locator("#ask").inner_text() == (
                f"Which picture shows the same {HOSTILE} as the photos?"
            )
            assert photos.first.get_attribute("alt") == f"Photo 1 of the {HOSTILE}"
            seen = []
            for _ in range(12):
                lefts.append(whose[on_screen(page, "left")][0])
                seen.append(frozenset(on_screen(page, side) for side in ("left", "right")))
                page.keyboard.press("0")
            orders.append(seen)
    assert set(orders[0]) == set(orders[1]) == set(orders[2])
    assert not orders[0] == orders[1] == orders[2]
    # 36 fair coins give 36 times the same side, or the same order thrice, once in 10^10 tries.
    assert set(lefts) == {"textboost", "dreambooth"}


def test_answers_can_be_taken_back_and_saved_half_way_by_mouse_and_a_name_is_text(
    visit,  # noqa: F811
    made,
    tmp_path,
):
    page_file, key = made["alignment"]
    with visit(page_file, width=390, height=800) as page:
        assert page.get_by_role("link", name="Save the answers").is_hidden()
        begin(page, "  ")
        assert page.locator("#trial").is_hidden()  # a name is needed
        begin(page, '=1+1,"anna"')
        described = page.locator("#description").inner_text()
        assert described in (f"a {HOSTILE} in the jungle", f"a {HOSTILE} on the beach")
        assert page.locator("#photos").is_hidden()
        assert page.locator("#back").is_disabled()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        first = on_screen(page, "right")
        page.locator("#left").click()
        page.keyboard.press("Backspace")
        assert on_screen(page, "right") == first
        page.locator("#right").click()
        page.locator("#same").click()
        path, suggested = save(page, tmp_path, "half.csv")
        assert suggested.endswith("-1-1-anna.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["choice"] for row in rows] == ["right", "same"]
    assert rows[0]["right"] == first
    assert rows[0]["rater"] == '\'=1+1,"anna"'
    assert float(rows[0]["seconds"]) >= 0
    done = tbbench("score", "--ab", path, "--key", key)
    assert done.returncode == 0, done.stderr
    assert "2 answers by 1 rater to 2 of 12 pairs" in done.stdout
    assert "Agreement not computed: one rater alone." in done.stdout
    wrong = tbbench("score", "--ab", path, "--key", made["fidelity"][1])
    assert wrong.returncode == 2
    assert "but the key is of" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_for_readers_with_a_disability(visit, made, scheme):  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    with visit(made["fidelity"][0], color_scheme=scheme) as page:
        for step in ("intro", "trial"):
            if step == "trial":
                begin(page, "anna")
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
