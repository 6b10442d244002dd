"""Methods renamed, ordered and coloured by a file of the reader's."""

import pandas as pd
import pytest

from benchmark.errors import UserError
from reports.naming import Naming, check_naming, load_naming

FILE = """
[methods]
textboost = "TextBoost"
"dreambooth (paper)" = "DreamBooth*"
dreambooth = "DreamBooth"

[colours]
textboost = "#0072B2"
"""


def loaded(folder, text):
    file = folder / "names.toml"
    file.write_text(text, encoding="utf-8")
    return load_naming(file)


def test_names_order_and_colours_come_from_the_file(tmp_path):
    naming = loaded(tmp_path, FILE)
    assert list(naming.names.values()) == ["TextBoost", "DreamBooth*", "DreamBooth"]
    assert naming.colours == {"textboost": "#0072B2"}
    assert naming.name("textboost (toy)") == "TextBoost (toy)"
    assert naming.name("dreambooth (paper)") == "DreamBooth*"
    assert naming.name("dreambooth (toy)") == "DreamBooth (toy)"
    assert naming.name("custom-diffusion") == "custom-diffusion"


def test_rows_take_the_files_order_and_controls_and_photos_stay_last(tmp_path):
    frame = pd.DataFrame(
        {
            "label": ["real photos", "base", "other", "dreambooth", "textboost", "dreambooth"],
            "method": [None, "base", "other", "dreambooth", "textboost", "dreambooth"],
            "value": [0, 1, 2, 3, 4, 5],
        },
        # As frames that were put together have it.
        index=[0, 0, 0, 1, 1, 1],
    )
    named = loaded(tmp_path, FILE.replace("[methods]", '[methods]\nbase = "none"')).applied(frame)
    assert named["label"].tolist() == [
        *("TextBoost", "DreamBooth", "DreamBooth", "other", "none", "real photos")
    ]
    assert named["value"].tolist() == [4, 3, 5, 2, 1, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[methods", r"names.toml is not valid TOML: Expected"),
        ("[method]\n", r"unknown table '\[method\]' in .*did you mean '\[methods\]'"),
        ("methods = 3", r"methods is no table; write \[methods\] and a line per method"),
        ("[methods]\ntextboost = 3", "methods.textboost is '3'; give a text in quotes"),
        ('[methods]\ntextboost = " "', "methods.textboost is ''; give a text in quotes"),
        ('[methods]\na = "x"\nb = "x"', "calls several methods 'x'; give each its own name"),
        ('[colours]\ntextboost = "blue"', "colours.textboost is 'blue'; give #rrggbb"),
        ('[colours]\ntextboost = "#0072B2; x"', "give #rrggbb"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, text, says):
    with pytest.raises(UserError, match=says) as caught:
        loaded(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(UserError, match=r"none.toml: No such file.*give a TOML file"):
        load_naming(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'[methods]\ntextboost = "\xe9"')
    with pytest.raises(UserError, match=r"latin\.toml is not UTF-8 text"):
        load_naming(tmp_path / "latin.toml")


def test_a_misspelt_method_is_told_and_another_runs_method_is_not():
    check_naming(Naming({"textboost": "A", "somebodys (paper)": "B"}), ["somebodys (paper)"])
    with pytest.raises(UserError, match="unknown method 'textbost' in the naming file; did you"):
        check_naming(Naming({"textbost": "A"}), ["dreambooth"])
    with pytest.raises(UserError, match="unknown method 'textbost'"):
        check_naming(Naming({}, {"textbost": "#000000"}), [])


def test_two_methods_that_would_be_called_the_same_are_refused(tmp_path):
    named = loaded(tmp_path, '[methods]\ntextboost = "dreambooth"\n')
    check_naming(named, ["textboost", "base"])
    with pytest.raises(UserError, match="both 'textboost' and 'dreambooth' 'dreambooth'; give"):
        check_naming(named, ["textboost", "dreambooth", "textboost"])
