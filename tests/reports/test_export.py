"""Which tables are written, and where."""

import json

import pandas as pd
import pytest

from benchmark.errors import UserError
from reports.export import FORMATS, write_tables
from reports.naming import Naming
from tests.reports.studies import alignment, costs, scores

SPENT = [("a", "s0", "train", "wall_seconds", 10.0, "measured")]
CELLS = [
    {"method": "a", "preset": "toy", "settings": {"steps": 5}},
    {"method": "b", "preset": "toy", "settings": {}},
]
CLAIM = {"id": "c", "sentence": "It is so.", "verdict": "supported", "estimate": 1.0}


@pytest.fixture(scope="module")
def study():
    parts = [scores({"a": [0.6, 0.5], "b": [0.5, 0.4]}), alignment({"a": [0.2], "b": [0.3]})]
    return pd.concat(parts, ignore_index=True)


def names(paths):
    return [path.name for path in paths]


def test_every_table_in_every_format(study, tmp_path):
    written = write_tables(study, costs(SPENT), CELLS, [CLAIM], tmp_path, list(FORMATS))
    tables = ["main", "subjects_1", "subjects_2", "prompts_1", "prompts_2"]
    tables += ["cost", "settings", "claims"]
    endings = ["csv", "tex", "md", "html", "json"]
    assert names(written) == [f"table_{table}.{end}" for table in tables for end in endings]
    assert sorted(tmp_path.iterdir()) == sorted(written)
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert ("It is so." in text) is ("claims" in path.name)


def test_what_there_is_nothing_for_has_no_file(study, tmp_path):
    nothing = costs(SPENT).iloc[:0]
    assert write_tables(study.iloc[:0], nothing, [], None, tmp_path, ["csv"]) == []
    written = write_tables(study.iloc[:0], costs(SPENT), CELLS[1:], [], tmp_path, ["csv"])
    assert names(written) == ["table_cost.csv"]


def test_columns_and_names_are_the_readers(study, tmp_path):
    naming = Naming({"b": "Bee"})
    args = (study, costs(SPENT), CELLS, None, tmp_path, ["json"], ["alignment"], naming)
    written = {path.name: json.loads(path.read_text()) for path in write_tables(*args)}
    main = written["table_main.json"]
    assert main["columns"] == ["method", "subjects", "images", "alignment (toy-clip) ↑"]
    assert [row[0]["value"] for row in main["rows"]] == ["Bee", "a"]
    assert written["table_subjects_1.json"]["columns"] == ["subject", "Bee", "a"]
    assert written["table_settings.json"]["columns"] == ["setting", "Bee", "a"]


def test_mistakes_are_told_before_anything_is_written(study, tmp_path):
    args = (study, costs(SPENT), CELLS, None, tmp_path / "new")
    with pytest.raises(UserError, match="unknown format 'latx'; did you mean 'latex'"):
        write_tables(*args, ["csv", "latx"])
    with pytest.raises(UserError, match="unknown column 'fidelty'"):
        write_tables(*args, ["csv"], ["fidelty"])
    with pytest.raises(UserError, match="unknown method 'textbost' in the naming file"):
        write_tables(*args, ["csv"], naming=Naming({"textbost": "x"}))
    assert not (tmp_path / "new").exists()
