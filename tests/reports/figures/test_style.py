"""A method looks the same everywhere, and apart from all others."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.style import MARKS, legend_below, looks, mark, pdf, png, shade, svg


def frame(*pairs):
    return pd.DataFrame(pairs, columns=["label", "method"])


def drawn(**about):
    figure = Figure()
    figure.subplots().plot([0, 1], [2, 3], **about)
    return figure


def test_no_two_of_our_methods_look_alike_in_grey_either():
    assert len(set(MARKS.values())) == len(MARKS)
    assert len({(look.marker, look.line) for look in MARKS.values()}) == len(MARKS)


def test_presets_of_a_method_share_its_colour_and_not_its_marker():
    found = looks(frame(("x (a)", "textboost"), ("y", "dreambooth"), ("x (b)", "textboost")))
    assert found["x (a)"] == mark("textboost")
    assert found["x (b)"].colour == mark("textboost").colour
    assert found["x (b)"].marker != found["x (a)"].marker
    assert found["y"] == mark("dreambooth")


def test_a_reader_may_choose_colours():
    chosen = {"textboost": "#123456"}
    assert mark("textboost", chosen).colour == "#123456"
    assert mark("textboost", chosen).marker == mark("textboost").marker
    assert mark("dreambooth", chosen) == mark("dreambooth")


def test_files_are_the_same_bytes_again_and_carry_no_date():
    for write in (svg, pdf, png):
        assert write(drawn()) == write(drawn())
    assert b"CreationDate" not in pdf(drawn())
    assert b"dc:date" not in svg(drawn())


def test_hostile_labels_are_drawn_as_they_are():
    _, style = shade(dark=False)
    import matplotlib

    with matplotlib.rc_context(style):
        figure = drawn()
        handles = {"$\\frac$ <script>": figure.axes[0].lines[0], "_hidden": figure.axes[0].lines[0]}
        legend_below(figure, handles | {"x" * 10_000: figure.axes[0].lines[0]})
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[0] == "$\\frac$ <script>"
    assert texts[1].strip() == "_hidden"
    assert len(texts[2]) == 40
    assert b"<script>" not in svg(figure)
