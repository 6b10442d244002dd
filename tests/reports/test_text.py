"""Tables as Markdown and in the terminal."""

from io import StringIO

import pandas as pd
from rich.console import Console

from reports.tables import summary
from reports.text import comparison_text, markdown, rich_comparison
from tests.reports.studies import scores


def printed(results, width=80):
    console = Console(width=width, record=True, force_terminal=True, file=StringIO())
    console.print(rich_comparison(results))
    return console.export_text()


def styles(results):
    """Of every piece of the terminal's tables."""
    console = Console(width=80, force_terminal=True, file=StringIO())
    return {str(piece.style) for piece in console.render(rich_comparison(results))}


def test_markdown_escapes_what_would_break_a_row():
    frame = pd.DataFrame({"a": ["x|y"], "b": ["two\nlines <b>"]})
    assert markdown(frame) == "| a | b |\n| :--- | ---: |\n| x\\|y | two lines \\<b\\> |\n"


def test_markdown_shows_no_markup_of_names_and_keeps_the_bold_of_the_best():
    names, scored = ["![i](http://x)", r"a\|b"], ["**0.6 [0.5 to 0.7]**", "**x**"]
    first, second = markdown(pd.DataFrame({"a": names, "b": scored})).splitlines()[2:]
    assert first == r"| \!\[i\](http://x) | **0.6 [0.5 to 0.7]** |"
    assert second == r"| a\\\|b | \*\*x\*\* |"


def test_best_is_bold_and_missing_is_a_dash(results):
    text = comparison_text(summary(results)).set_index("method")
    unseen = text["fidelity unseen (toy-clip) ↑"]
    assert unseen["dreambooth"].startswith("**0.")
    assert " to " in unseen["dreambooth"]
    assert not unseen["oracle"].startswith("**")
    assert text.loc["real photos (seen to unseen)", "alignment (toy-clip) ↑"] == "\N{EN DASH}"


def test_below_six_subjects_nothing_is_bold_and_the_terminal_says_why(results):
    few = results[results["subject"] != results["subject"].iloc[0]]
    assert "**" not in comparison_text(summary(few)).to_csv()
    assert "**" in comparison_text(summary(results)).to_csv()
    why = "No best method is marked: that needs 6 subjects."
    assert why in printed(few)
    assert why not in printed(results)
    assert any("bold green" in style for style in styles(results))
    assert not any("bold green" in style for style in styles(few))


def test_terminal_table_fits_80_columns_with_every_method_and_interval(results):
    text = printed(results)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    for name in ("textual-inversion", "dreambooth", "textboost", "oracle", "copy", "base"):
        assert sum(line.split()[:1] == [name] for line in lines) == 2
    # The last column of both tables, in full: the Vendi score and its interval.
    assert text.count("2.300") == text.count("2.30\N{EN DASH}2.30") == 2
    assert "Means over 6 subjects" in text


def test_terminal_table_names_every_encoder(results):
    text = printed(results)
    assert "efficientnet-lite0" in text
    assert "toy-clip" in text


def test_terminal_table_of_nothing(results):
    assert "No scores yet." in printed(results.iloc[:0])


def test_one_subject_is_counted_in_the_singular(results):
    one = results[results["subject"] == results["subject"].iloc[0]]
    assert "Means over 1 subject," in printed(one)


def test_terminal_table_says_whether_there_are_intervals(results):
    assert "Means over 6 subjects, 95% bootstrap intervals." in printed(results)
    few = results[results["subject"].isin(["dog_a", "dog_b"])]
    assert "Means over 2 subjects, too few for intervals, which need 5." in printed(few)


def test_many_scores_go_into_several_tables_of_the_terminals_width(results):
    fidelity = results[results["metric"] == "fidelity"]
    many = [results, *(fidelity.assign(metric=f"extra-{n}") for n in range(4))]
    lines = printed(pd.concat(many, ignore_index=True)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "…" not in "".join(lines)
    assert sum(line.startswith("toy-clip") for line in lines) > 1


def test_long_names_of_metrics_are_broken_and_not_cut(results):
    text = printed(results.assign(metric="augmentation-leak"))
    assert "…" not in text
    assert "ion-leak" in text


def test_names_in_the_terminal_are_no_markup():
    named = [
        scores({"[/x]": [0.5, 0.6], "exp[new]": [0.4, 0.5]}, metric=metric, encoder="enc[red]")
        for metric in ("fidelity", "m[up]")
    ]
    text = printed(pd.concat(named, ignore_index=True))
    for name in ("[/x]", "exp[new]", "enc[red]", "m[up]"):
        assert name in text
