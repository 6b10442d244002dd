"""`tbbench verify` and `tbbench bundle` as they are called."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmark.bundle.archive import read_zip, zip_bytes
from benchmark.claims.measured import preset_settings
from benchmark.cli import main
from benchmark.collect import stamp
from benchmark.config import Prior, Training
from benchmark.store import Run
from tests.reports.made_up import CONTROLS, cell, make_run

CLAIM = """
[[claim]]
id = "{id}"
sentence = "A sentence."
source = "this test"
preset = "toy"
expression = "{expression}"
"""
TRUE = CLAIM.format(id="true", expression="difference(alignment, textboost, dreambooth) > 0")
FALSE = CLAIM.format(id="false", expression="difference(alignment, textboost, dreambooth) < 0")
OPEN = CLAIM.format(id="open", expression="mean(DINO, textboost) > 0")
UNJUDGED = """
[[claim]]
id = "none"
sentence = "A sentence."
source = "this test"
unjudged = "nobody knows"
"""
DOCS = Path(__file__).resolve().parents[2] / "docs"
CONTRACT = {"id", "verdict", "estimate", "low", "high", "n", "bound", "source", "evidence"}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> Path:
    cells = [
        cell(method, subject, **own(method))
        for subject in ("dog_a", "dog_b", "cat_c", "teapot_d", "clock_e")
        for method in ("base", "textboost", "dreambooth")
    ]
    made = make_run(tmp_path_factory.mktemp("runs") / "made-up", cells)
    for one in cells:
        folder = made.folder(one.key).path
        costs = json.loads((folder / "cost.json").read_text())
        if one.method not in CONTROLS:
            trained = [c for c in costs if c["stage"] in ("load", "prepare", "train", "save")]
            content = {"files": {"model.safetensors": "0" * 64}, "costs": trained}
            (folder / "checkpoint.json").write_text(json.dumps(content))
    return made.path


def own(method: str) -> dict[str, object]:
    same = {
        "compute": Training().model_dump(exclude={"steps", "resolution"}),
        "prior": Prior().model_dump(),
    }
    return same if method in CONTROLS else {**same, "settings": preset_settings(method, "toy")}


@pytest.fixture
def run(made_up, tmp_path, monkeypatch) -> Path:
    """A copy of the run, in the folder that the commands are called in."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made_up, tmp_path / "made-up")).relative_to(tmp_path)


@pytest.fixture
def tbbench(monkeypatch, capsys):
    """Calls the command; returns its exit code and what it printed."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tbbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def write(name: str, *claims: str) -> str:
    Path(name).write_text("".join(claims))
    return name


@pytest.mark.parametrize(
    ("claims", "plain", "strict"),
    [((TRUE,), 0, 0), ((TRUE, FALSE), 1, 1), ((TRUE, OPEN), 0, 1), ((FALSE,), 1, 1)],
)
def test_the_exit_code_says_whether_anything_is_refuted(run, tbbench, claims, plain, strict):
    mine = write("mine.toml", *claims)
    assert tbbench("verify", mine, str(run))[0] == plain
    assert tbbench("verify", mine, str(run), "--strict")[0] == strict


def test_json_is_the_contract_and_is_kept_in_the_run(run, tbbench):
    code, out, err = tbbench("verify", write("mine.toml", TRUE, OPEN), str(run), "--json")
    assert (code, err) == (0, "")
    verdicts = json.loads(out)
    assert [v["verdict"] for v in verdicts] == ["SUPPORTED", "NOT MEASURED"]
    for verdict in verdicts:
        assert verdict.keys() > CONTRACT
        assert verdict["claims"] == "mine"
    first, second = verdicts
    assert first["low"] < first["estimate"] < first["high"]
    assert (first["n"], first["bound"], first["label"]) == (5, "> 0", "toy, part")
    assert (second["estimate"], second["low"], second["n"]) == (None, None, None)
    kept = json.loads((run / "verdicts.json").read_text())
    now = {"stamp": stamp(Run.open(run))}
    assert kept == [verdict | now for verdict in verdicts]
    # Another attempt at a cell, and what was judged is older than the run.
    record = next((run / "cells").glob("*/cell.json"))
    record.write_text(record.read_text().replace('"attempts": 1', '"attempts": 2'))
    assert stamp(Run.open(run)) != now["stamp"]


def test_a_run_that_cannot_be_written_is_judged_all_the_same(run, tbbench):
    (run / "verdicts.json").mkdir()
    code, out, err = tbbench("verify", write("mine.toml", TRUE), str(run))
    assert code == 0
    assert "SUPPORTED" in out
    assert "verdicts.json is not written, and reports will not show it: " in err


def test_the_table_says_what_rests_on_what(run, tbbench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = tbbench("verify", write("mine.toml", TRUE, OPEN, UNJUDGED), str(run))
    text = " ".join(out.split())
    assert code == 0
    assert [line for line in out.splitlines() if line != line.rstrip()] == []
    assert "SUPPORTED" in text
    assert "(toy, part)" in text
    assert "difference(alignment, textboost, dreambooth) > 0" in text
    assert "A sentence. nobody knows" in text
    assert "measured [" in text
    assert "n = 5" in text
    assert "1 SUPPORTED, 0 REFUTED, 0 INCONCLUSIVE, 2 NOT MEASURED" in text


@pytest.mark.parametrize("words", [("verify",), ("bundle", "made-up", "--claims")])
def test_a_terminal_shows_how_many_claims_are_judged(run, tbbench, words, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    mine = write("mine.toml", TRUE, OPEN)
    _, out, err = tbbench(*words, mine, *([str(run)] if len(words) == 1 else []))
    assert "100%" in err
    assert "100%" not in out
    monkeypatch.delenv("FORCE_COLOR")
    assert "%" not in tbbench("verify", mine, str(run))[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "nothing is neither a claims file (custom-diffusion, dreambooth"),
        (("none.toml",), "none.toml cannot be read: No such file or directory"),
        ((".",), ". is neither a claims file (custom-diffusion, dreambooth"),
        (("made-up", "made-up"), "made-up is named twice"),
        (("made-up", "--digest", "00"), "--digest is of one bundle"),
    ],
)
def test_a_mistake_is_one_line(run, tbbench, arguments, says):
    code, out, err = tbbench("verify", *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_bundle_is_made_checked_and_its_digest_vouches_for_it(run, tbbench):
    mine = write("mine.toml", TRUE)
    code, out, _ = tbbench("bundle", str(run), "--claims", mine)
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("made-up-evidence.zip: ")
    digest = second.removeprefix("sha256 ")
    assert len(digest) == 64
    bundle = "made-up-evidence.zip"
    code, out, err = tbbench("verify", mine, bundle, "--digest", digest)
    assert code == 0
    assert "computed again are as stated; the digest agrees" in err
    assert "1 SUPPORTED" in out
    code, _, err = tbbench("verify", mine, bundle)
    assert code == 0
    assert "without --digest nothing vouches for environment.json" in err
    tutorial = (DOCS / "tutorials" / "reviewer.md").read_text("utf-8")
    assert f"```text\n{err.replace(bundle, 'runs/quickstart-evidence.zip')}```" in tutorial
    code, _, err = tbbench("verify", mine, bundle, "--digest", "0" * 64)
    assert code == 1
    assert "SHA-256 is" in err


def test_a_changed_bundle_fails_and_is_named(run, tbbench):
    mine = write("mine.toml", TRUE)
    tbbench("bundle", str(run), "--claims", mine, "--out", "whole.zip")
    files = read_zip(Path("whole.zip"))
    assert b'"n": 5' in files["verdicts.json"]
    files["verdicts.json"] = files["verdicts.json"].replace(b'"n": 5', b'"n": 30')
    Path("changed.zip").write_bytes(zip_bytes(files))
    code, out, err = tbbench("verify", mine, "changed.zip")
    assert (code, out) == (1, "")
    assert "changed.zip: verdicts.json is not the file that was packed" in err
    assert "changed.zip: verdicts.json: [true made-up].n is 30, computed again 5" in err
    assert err.endswith("no verdict is given: a bundle is not what it says\n")
    code, out, err = tbbench("verify", mine, "changed.zip", "--json")
    assert (code, out) == (1, ""), "not even an empty list, which would read as nothing refuted"


def test_bundles_of_runs_of_one_name_are_told_apart_by_their_files(run, tbbench):
    mine = write("mine.toml", TRUE)
    tbbench("bundle", str(run), "--claims", mine, "--out", "one.zip")
    tbbench("bundle", str(run), "--claims", mine, "--out", "two.zip")
    code, out, _ = tbbench("verify", mine, "one.zip", "two.zip", "--json")
    assert code == 0
    assert [v["run"] for v in json.loads(out)] == ["one.zip", "two.zip"]
    code, out, _ = tbbench("verify", mine, str(run), "one.zip", "--json")
    assert code == 0
    assert [v["run"] for v in json.loads(out)] == ["made-up", "one.zip"]
    code, out, err = tbbench("verify", mine, "one.zip", "one.zip")
    assert (code, out) == (2, "")
    assert "one.zip is named twice" in err


def test_nothing_of_a_bundle_steers_the_terminal(run, tbbench):
    """The machine's name comes from whoever made the bundle."""
    mine = write("mine.toml", TRUE)
    record = {"device": "cpu", "processor": "\x1b[2J\x1b]0;owned\x07", "gpus": []}
    (run / "environment.json").write_text(json.dumps(record))
    tbbench("bundle", str(run), "--claims", mine)
    code, out, err = tbbench("verify", mine, "made-up-evidence.zip")
    assert code == 0
    assert "\x1b[2J" not in out + err
    assert "\x07" not in out + err
    assert "?[2J" in out.replace("\n", "").replace(" ", "")
