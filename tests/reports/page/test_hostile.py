"""Names, prompts and errors that want to be more than text."""

import csv
import html
import io
import json
import re
import tomllib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from benchmark.metrics.evidence import scores
from reports.page.material import Material, Source
from reports.write import write_report
from tests.reports.made_up import cell

SCRIPT = "</script></title></textarea><script>alert(1)</script><img src=x onerror=alert(2)>"
QUOTES = "\"'` onmouseover=alert(3) x='&quot;\">&lt;"
BACKWARDS = "evil\u202egnp.exe\u2066"
LONG = "w" * 10_000
FORMULA = '=HYPERLINK("http://example.com";"x")'
LATEX = r"\input{/etc/passwd} $x_1^2$ & 50% #1 {~}"
METHODS = (SCRIPT, QUOTES, BACKWARDS, LONG, FORMULA, LATEX)
SUBJECTS = (SCRIPT, QUOTES + BACKWARDS, LONG + "s")
PROMPTS = {"p1": f"a {{subject}} {SCRIPT}", "p2": f"{LONG} {QUOTES} {BACKWARDS}"}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    picture = folder / 'a "b" #?.png'
    Image.new("RGB", (40, 40), "red").save(picture)
    cells, frames = [], []
    for subject in SUBJECTS:
        for place, method in enumerate(METHODS):
            made = cell(method, subject, prompts=PROMPTS, class_noun=SCRIPT, preset=QUOTES)
            record = {"key": made.key, **made.to_json(), "protocol": made.protocol}
            failed = (method, subject) == (LATEX, SUBJECTS[0])
            cells.append(
                record
                | {
                    "status": "failed" if failed else "done",
                    "attempts": 1,
                    "kind_of_failure": SCRIPT,
                    "message": SCRIPT + QUOTES + LONG,
                }
            )
            if failed:
                continue
            about = {
                name: getattr(made, name)
                for name in ("method", "preset", "backbone", "dataset", "split", "subject")
            }
            rows = [
                {"metric": "fidelity", "reference": "unseen", "value": 0.1 * place, "seed": seed}
                | {"prompt_id": prompt, "prompt": text, "image": "x"}
                for prompt, text in PROMPTS.items()
                for seed in (0, 1)
            ]
            frames.append(
                scores(rows).assign(encoder=SCRIPT, train_seed=0, protocol=made.protocol, **about)
            )
    claim = {"id": SCRIPT, "sentence": LONG, "verdict": QUOTES, "estimate": 0.5, "evidence": LATEX}
    material = Material(
        title=SCRIPT + LONG,
        notes=(QUOTES + SCRIPT,),
        warnings=(BACKWARDS, LONG),
        results=pd.concat(frames, ignore_index=True),
        costs=pd.DataFrame(),
        cells=tuple(cells),
        image=lambda key, prompt, seed: picture,
        photos=lambda subject: {"seen": [picture], "unseen": [picture]},
        sources=(
            Source("a" + SCRIPT, {SCRIPT: QUOTES}, f"title = {json.dumps(SCRIPT)}\n", {"v": 1}),
            Source("b", {SCRIPT: LONG}, 'title = "b"\nsteps = 2\n', {"v": 1}),
        ),
        claims=(claim,),
        changes=pd.DataFrame({"score": [FORMULA, SCRIPT], "change": [LATEX, QUOTES]}),
    )
    assert tomllib.loads(material.sources[0].configuration)["title"] == SCRIPT
    return write_report(material, folder / "report", refresh_seconds=900)


def test_hostile_texts_run_nothing_and_load_nothing(index, visit):
    with visit(index) as page:
        assert page.title().startswith(SCRIPT)
        # As many elements as the template and the scripts make, and none that a text made.
        assert page.locator("script").count() == 2
        assert page.locator("img[onerror], [onmouseover], img[src='x']").count() == 0
        assert page.locator("h1").inner_text().startswith(SCRIPT)
        assert page.get_by_text("68 of 68 pictures").is_visible()
        page.locator("#found").scroll_into_view_if_needed()
        page.locator(".card").nth(2).click()
        page.get_by_role("button", name="Slider").click()
        page.get_by_role("button", name="Close").click()
        page.locator("thead button").first.click()


def test_long_names_widen_neither_page_nor_phone(index, visit):
    for width in (1280, 390):
        with visit(index, width=width) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.locator("h1").bounding_box()["height"] < 600
            page.locator("#found").scroll_into_view_if_needed()
            page.locator(".card").first.click()
            widths = page.locator("dialog").evaluate("d => [d.scrollWidth, d.clientWidth]")
            assert widths[0] <= widths[1]


def test_right_to_left_characters_turn_around_nothing_outside_their_name(index, visit):
    with visit(index) as page:
        alone = page.locator("bdi", has_text="evil").first
        assert alone.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"


def test_copied_tables_run_nothing_either(index, visit):
    with visit(index) as page:

        def copied(form, name):
            page.get_by_role("button", name=f"Copy as {form}: table: {name}").click()
            page.get_by_text(f"Copied as {form}").first.wait_for()
            return page.evaluate("navigator.clipboard.readText()")

        rows = list(csv.reader(io.StringIO(copied("CSV", "changes"))))
        assert rows == [["score", "change"], ["'" + FORMULA, LATEX], [SCRIPT, QUOTES]]
        latex = copied("LaTeX", "changes")
        assert r"\textbackslash{}input\{/etc/passwd\}" in latex
        assert r"\$x\_1\textasciicircum{}2\$ \& 50\% \#1 \{\textasciitilde{}\}" in latex
        page_of = MarkdownIt("commonmark").enable("table").render(copied("Markdown", "changes"))
        found = re.findall("<t[dh][^>]*>(.*?)</t[dh]>", page_of)
        assert [html.unescape(text) for text in found] == [
            *("score", "change", FORMULA, LATEX, SCRIPT, QUOTES)
        ]
        assert "<script" not in page_of


@pytest.fixture
def server():
    """A local server; the paths that were asked of it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", asked
    listening.shutdown()


INTRUDER = """async (server) => {
  const script = document.createElement("script");
  script.textContent = "document.title = 'ran'";
  document.body.append(script);
  const image = document.createElement("img");
  image.src = `${server}/image`;
  document.body.append(image);
  await fetch(`${server}/fetched`, { mode: "no-cors" }).catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return document.title;
}"""


def test_the_policy_stops_a_script_that_got_in_and_every_request(chromium, index, server, tmp_path):
    address, asked = server
    page = chromium.new_page()
    page.goto(index.as_uri())
    assert page.evaluate(INTRUDER, address) != "ran"
    assert asked == []
    # The same on a page without the policy, which shows that the intruder works.
    (tmp_path / "open.html").write_text("<!doctype html><title>open</title><body>")
    page.goto((tmp_path / "open.html").as_uri())
    assert page.evaluate(INTRUDER, address) == "ran"
    assert set(asked) == {"/image", "/fetched"}
    page.close()


def test_a_policy_that_fits_what_is_in_the_page(index):
    """Each inlined style and script has its hash in the policy, which allows no others."""
    text = index.read_text("utf-8")
    assert "unsafe-inline" not in text
    assert "unsafe-eval" not in text
    assert "default-src &#39;none&#39;" in text


def test_half_characters_are_written_as_question_marks(index, tmp_path):
    empty = pd.DataFrame()
    made = cell("base", "dog")
    record = {"key": made.key, **made.to_json(), "protocol": made.protocol}
    record |= {"status": "failed", "attempts": 1, "kind_of_failure": "E", "message": "a\ud800b"}
    material = Material(
        title="t",
        notes=(),
        warnings=(),
        results=empty,
        costs=empty,
        cells=(record,),
        image=lambda key, prompt, seed: index,
        photos=lambda subject: {"seen": [], "unseen": []},
        sources=(Source("a", {}, "", {}),),
    )
    assert "a?b" in write_report(material, tmp_path).read_text("utf-8")
    again = replace(material, title="\ud800")
    assert "<title>?</title>" in write_report(again, tmp_path).read_text("utf-8")
