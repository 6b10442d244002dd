"""The data files as such: complete, consistent, and fit for their use."""

import string
import tomllib
from pathlib import Path

from benchmark.dreambench import read_rows
from benchmark.paths import data_root

DREAMBENCH = data_root() / "dreambench"


def captions() -> list[str]:
    text = (data_root() / "prompts" / "preservation.txt").read_text(encoding="utf-8")
    return text.splitlines()


def test_preservation_captions_are_many_and_distinct() -> None:
    assert len(captions()) == len(set(captions())) >= 300


def test_preservation_captions_are_plain_lines_that_fit_clip() -> None:
    allowed = set(string.ascii_letters + string.digits + " ,'-")
    for caption in captions():
        assert caption == caption.strip()
        assert set(caption) <= allowed, caption
        assert 4 <= len(caption.split()) <= 20, caption


def test_preservation_captions_hold_no_evaluation_prompt() -> None:
    table = tomllib.loads((DREAMBENCH / "prompts.toml").read_text(encoding="utf-8"))
    nouns = {row["class_noun"] for row in read_rows(DREAMBENCH / "subjects.csv")}
    asked = {t.replace("{subject}", noun) for t in table["templates"].values() for noun in nouns}
    assert asked.isdisjoint(captions())


def test_every_template_is_asked_of_somebody() -> None:
    table = tomllib.loads((DREAMBENCH / "prompts.toml").read_text(encoding="utf-8"))
    assert {*table["object"], *table["live"]} == table["templates"].keys()


def test_provenance_names_the_same_commit_twice_and_a_licence() -> None:
    table = tomllib.loads((DREAMBENCH / "provenance.toml").read_text(encoding="utf-8"))
    assert table["license"] == "CC BY 4.0"
    assert table["source"]["archive"].endswith(table["source"]["commit"])
    assert (DREAMBENCH / table["attribution"]).is_file()


def test_every_subject_is_credited() -> None:
    text = (DREAMBENCH / "ATTRIBUTION.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    credited = {name.strip() for cell in cells for name in cell.split(",")}
    assert {row["name"] for row in read_rows(DREAMBENCH / "subjects.csv")} <= credited


def test_checksums_are_listed_in_order() -> None:
    rows = read_rows(DREAMBENCH / "checksums.csv")
    subjects = [row["name"] for row in read_rows(DREAMBENCH / "subjects.csv")]
    places = [(subjects.index(row["subject"]), row["photo"]) for row in rows]
    assert places == sorted(places)
    assert all(Path(row["photo"]).suffix == ".jpg" and len(row["sha256"]) == 64 for row in rows)
