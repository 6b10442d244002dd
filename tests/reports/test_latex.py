"""LaTeX that prints what the cells hold, whatever is in them. A real engine is the judge."""

import pytest

from reports.cells import LONG_TEXT, TEXT, Cell, Head, made, text
from reports.latex import document, escaped, latex
from tests.reports.studies import HOSTILE
from tests.reports.tex import compiled


def table(name="main", rows=None, notes=()):
    heads = [Head(("method",), TEXT), Head(("fidelity unseen", "(toy-clip)", "↑"))]
    heads.append(Head(("why",), LONG_TEXT))
    rows = rows or [
        [text("a"), Cell(0.5, low=0.4, high=0.6, rank="best"), text("x")],
        [text("b"), Cell(0.45, rank="tied"), text(None)],
        [text("base"), Cell(None, absent="not measured"), text("y")],
    ]
    return made(name, "A table.", heads, rows, (2,), notes)


def test_marks_intervals_rules_and_heads():
    lines = latex(table(notes=("50% of it.",))).splitlines()
    assert r"\begin{tabular}{@{}lrp{5cm}@{}}" in lines
    assert r"a & \textbf{0.500} {\scriptsize [0.400, 0.600]} & x \\" in lines
    assert r"b & \underline{0.450} & -- \\" in lines
    third = lines.index(r"base & not measured & y \\")
    assert lines[third - 1] == r"\midrule"
    assert lines.count(r"\midrule") == 2
    assert r"fidelity unseen \\ (toy-clip) \\ $\uparrow$\end{tabular}" in "\n".join(lines)
    assert r"50\% of it." in "\n".join(lines)
    assert r"\label{tab:main}" in lines


def test_only_marks_that_stand_in_the_table_are_explained():
    rows = [[text("a"), Cell(0.5, rank="best"), text("x")]]
    assert r"\textbf{Bold}: best mean." in latex(table(rows=rows))
    assert "Underlined" not in latex(table(rows=rows))
    assert "Underlined" in latex(table())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("50%_&#${}", r"50\%\_\&\#\$\{\}"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("[x]*", "{[}x]{*}"),
        ("Zoë", r"Zo\"{e}"),
        ("Čapek", r"\v{C}apek"),
        ("ש", "{[}U+05E9]"),
        ("a\nb", "a b"),
        ("\u202eexe", "exe"),
        ("ﬁ \N{GRINNING FACE}", "{[}U+FB01] {[}U+1F600]"),
    ],
)
def test_texts_are_escaped(raw, expected):
    assert escaped(raw) == expected


def test_long_texts_are_cut():
    assert len(escaped("x" * 10_000)) < 100


def test_every_table_compiles_alone_in_the_preview_and_says_its_numbers(tmp_path):
    rows = [
        [text(value), Cell(0.5 + place / 1000, low=0.4, high=0.6, rank="tied"), text(value)]
        for place, value in enumerate(HOSTILE.values())
    ]
    hostile = made(
        "hostile", HOSTILE["latex"], list(table().heads), rows, (1,), tuple(HOSTILE.values())
    )
    for one in (table(), hostile):
        (tmp_path / f"table_{one.name}.tex").write_text(latex(one), encoding="utf-8")
    (tmp_path / "preview.tex").write_text(document(["table_main", "table_hostile"], []))
    read = compiled(tmp_path)
    if read:
        assert "a 0.500 [0.400, 0.600] x" in read
        assert "base not measured y" in read
        for part in (r"\input{x} $a", "50% & #3 {", "} [x] *", "<script>alert(", "=cmd("):
            assert part in read
        for whole in ("@SUM(A1)", "a|b||c", "[U+05E9]", "Zoë Čapek 10", "two lines and a tab"):
            assert whole in read
        for place in range(len(HOSTILE)):
            assert f"{0.5 + place / 1000:.3f} [0.400, 0.600]" in read


def test_a_table_is_put_into_a_paper_of_another_layout(tmp_path):
    (tmp_path / "table_main.tex").write_text(latex(table()), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage[T1]{fontenc}"
        r"\usepackage{booktabs,graphicx}\begin{document}See table~\ref{tab:main}."
        r"\input{table_main}\end{document}"
    )
    assert "Table 1: A table." in (compiled(tmp_path, "paper.tex") or "Table 1: A table.")


def test_a_long_table_is_several_floats_of_one_number_and_none_is_cut(tmp_path):
    sentence = "This is one of the long sentences, which wrap in a column of their own, number"
    rows = [[text(f"row{n}"), Cell(n / 1000), text(f"{sentence} {n}.")] for n in range(60)]
    long = latex(made("long", "Long.", list(table().heads), rows, (30,), ("A note.",)))
    assert long.count(r"\begin{table}") == long.count(r"\end{table}") == 5
    assert long.count(r"\label{tab:long}") == long.count("A note.") == 1
    assert long.count(r"\midrule") == 5 + 1
    (tmp_path / "table_long.tex").write_text(long, encoding="utf-8")
    (tmp_path / "preview.tex").write_text(document(["table_long"], []))
    read = compiled(tmp_path)
    assert "Float too large" not in (tmp_path / "preview.log").read_text()
    if read:
        assert "Table 1: Long. Part 5 of 5." in read
        assert all(f"row{n} {n / 1000:.3f}" in read for n in range(60))


def test_what_is_not_printed_is_left_to_the_other_formats():
    heads = [Head(("method",), TEXT), Head(("id",), TEXT, printed=False)]
    long = latex(made("main", "A table.", heads, [[text("a"), text("key")]]))
    assert r"a \\" in long.splitlines()
    assert "key" not in long
