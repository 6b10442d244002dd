"""Markdown and HTML, read back by real parsers."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from reports.cells import TEXT, Cell, Head, made, text
from reports.format import plain
from reports.markup import html, markdown
from tests.reports.studies import HOSTILE


def table(rows, title="fidelity ↑", caption="A table.", notes=()):
    return made("main", caption, [Head(("method",), TEXT), Head((title,))], rows, (1,), notes)


def marked():
    rows = [
        [text("a"), Cell(0.5, low=0.4, high=0.6, rank="best")],
        [text("b"), Cell(0.45, rank="tied")],
        [text("c"), Cell(None)],
    ]
    return table(rows, notes=("A note.",))


def hostile():
    rows = [[text(value), text(value)] for value in HOSTILE.values()]
    return table(rows, title=HOSTILE["markup"], caption=HOSTILE["table"], notes=(HOSTILE["latex"],))


class Read(HTMLParser):
    """Cells' texts by row, all tags, and the texts outside of the table."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags, self.cell, self.scripts = [], set(), None, 0

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell.strip())
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def read(page):
    reader = Read()
    reader.feed(page)
    return reader


def from_markdown(source):
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(source)


def test_markdown_marks_the_best_and_ties():
    assert markdown(marked()) == (
        "A table.\n\n"
        "| method | fidelity ↑ |\n"
        "| :--- | ---: |\n"
        "| a | **0.500** [0.400, 0.600] |\n"
        "| b | 0.450 ≈ |\n"
        "| c | \N{EN DASH} |\n\n"
        "Bold: best mean. ≈: not told apart from the best.\n\n"
        "A note.\n"
    )


@pytest.mark.parametrize("write", [lambda t: from_markdown(markdown(t)), html], ids=["md", "html"])
def test_hostile_texts_come_back_as_texts(write):
    page = read(write(hostile()))
    expected = [plain(value) for value in HOSTILE.values()]
    assert [row[0] for row in page.rows[1:]] == expected
    assert [row[1] for row in page.rows[1:]] == expected
    assert page.rows[0][1] == HOSTILE["markup"]
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "p", "table", "caption"),
        *("thead", "tbody", "tr", "th", "td", "bdi", "strong", "small"),
    }


def test_the_long_and_the_turned_are_cut_and_straightened():
    expected = dict(zip(HOSTILE, [row[0] for row in read(html(hostile())).rows[1:]], strict=True))
    assert len(expected["long"]) == 80
    assert expected["turned"] == "gnp.exe"


def test_html_holds_the_cells_marks_and_a_policy_against_the_network():
    page = html(marked())
    rows = read(page).rows
    assert rows == [
        ["method", "fidelity ↑"],
        ["a", "0.500 [0.400, 0.600]"],
        ["b", "0.450 ≈"],
        ["c", "\N{EN DASH}"],
    ]
    assert "<strong>0.500</strong>" in page
    assert page.count('class="rule"') == 1
    assert "default-src 'none'" in page
    assert "<script" not in html(hostile())
