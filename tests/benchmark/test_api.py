"""`run`, `score` and `compare` from Python: the outcome of the commands, and their words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import benchmark
from benchmark import RunResult, UserError, compare, open_run, run, score
from benchmark.config import RunConfig, toml_text
from benchmark.store import Run
from tests.reports.made_up import SKILL, SUBJECTS, cell, make_run

FIDELITY = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"], "text_encoders": []}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    cells = [cell(method, subject) for subject in SUBJECTS for method in SKILL]
    return open_run(make_run(tmp_path_factory.mktemp("runs") / "made-up", cells).path)


def test_importing_it_is_cheap_and_every_name_is_there() -> None:
    code = (
        "import sys, benchmark; assert not {'pandas', 'torch', 'pydantic'} & sys.modules.keys();"
        "assert all(getattr(benchmark, name) for name in benchmark.__all__);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        _ = benchmark.runs


def test_a_run_is_opened_with_its_tables(made_up: RunResult) -> None:
    stored = Run.open(made_up.folder)
    pd.testing.assert_frame_equal(made_up.results, stored.results())
    assert set(made_up.cells["status"]) == {"done"}
    assert set(made_up.costs["kind"]) >= {"measured"}
    table = made_up.table().set_index("label")
    assert set(SKILL) <= set(table.index)
    assert f"{len(made_up.cells)} done" in repr(made_up)


def test_a_notebook_shows_the_comparison_and_escapes_names(tmp_path: Path) -> None:
    cells = [cell(method, subject) for subject in SUBJECTS[:2] for method in SKILL]
    shown = open_run(make_run(tmp_path / "<b>bold", cells).path)._repr_html_()
    assert "<table" in shown
    assert "textboost" in shown
    assert "<b>bold" not in shown
    assert "&lt;b&gt;bold" in shown


def test_methods_are_compared_with_a_baseline(made_up: RunResult) -> None:
    found = compare(made_up, baseline="dreambooth", metric="fidelity")
    assert set(found["metric"]) == {"fidelity"}
    assert "dreambooth" not in set(found["label"])
    rows = made_up.results.query("metric == 'fidelity'")
    rows = rows.groupby(["encoder", "reference", "method", "subject"])["value"].mean()
    for row in found.to_dict("records"):
        own = rows[row["encoder"], row["reference"]]
        assert row["difference"] == pytest.approx(
            (own[row["label"]] - own["dreambooth"]).mean(), abs=1e-9
        )
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p"] <= row["p_holm"] <= 1
        assert row["subjects"] == len(SUBJECTS)


def test_runs_are_compared_picture_by_picture(made_up: RunResult, tmp_path: Path) -> None:
    cells = [cell(method, subject) for subject in SUBJECTS for method in SKILL]
    again = make_run(tmp_path / "again", cells).path
    found = compare(again, made_up.folder, metric="fidelity")
    assert set(found["metric"]) == {"fidelity"}
    assert (found["difference"] == 0).all()
    assert set(found["verdict"]) == {"unchanged"}
    file = again / "environment.json"
    file.write_text(file.read_text().replace('"made up"', '"edited"'))
    with pytest.warns(UserWarning, match=r"different software \(code edited; code made up\)"):
        compare(again, made_up.folder, metric="fidelity")
    with pytest.warns(UserWarning, match=r"different software \(code made up; code edited\)"):
        compare([made_up, again])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: compare(r, baseline="dreamboth"), "did you mean 'dreambooth'"),
        (lambda r: compare(r, metric="fidelitty"), "did you mean 'fidelity'"),
        (lambda r: compare(r, r), "is the run itself"),
        (lambda r: compare([]), "no run given"),
        (lambda r: compare([r, r]), "is named twice"),
        (lambda r: open_run(r.folder / "nowhere"), "holds no run"),
        (lambda r: run("quickstrat"), "did you mean 'quickstart'"),
        (lambda r: run("quickstart", retry="often"), "interrupted, failed, none"),
        (lambda r: run("quickstart", workers=0), "expected 1 or more"),
        (lambda r: run("quickstart", overrides=["trainin.steps=1"]), "training"),
        (lambda r: run({"name": "a", "title": None}), "what TOML cannot"),
        (lambda r: run({"name": "a"}), "missing key 'title'"),
        (lambda r: score([]), "nothing to score"),
        (lambda r: score({"a b/c": r.folder}), "--method"),
    ],
)
def test_mistakes_are_one_line(
    made_up: RunResult, ask: Callable[[RunResult], object], words: str
) -> None:
    with pytest.raises(UserError, match=words.replace("?", r"\?")) as told:
        ask(made_up)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_a_run_is_done_once_and_its_pictures_scored(
    tmp_path: Path, small: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    config = small(scoring=FIDELITY, methods=[{"name": "base"}, {"name": "copy"}])
    done = run(config, out=tmp_path / "run", device="cpu", workers=1)
    told = capsys.readouterr().out
    assert "[2/2]" in told
    assert "\x1b" not in told
    assert done.failures == ()
    assert list(done.cells["status"]) == ["done", "done"]
    written = {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.png")}
    (tmp_path / "same.toml").write_text(toml_text(config), "utf-8")
    again = run(tmp_path / "same.toml", out=tmp_path / "run", quiet=True)
    assert capsys.readouterr().out == ""
    pd.testing.assert_frame_equal(again.results, done.results)
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.png")} == written
    assert done.report(tmp_path / "report").read_text("utf-8").count("Small") > 0

    scored = score(
        done.folder,
        out=tmp_path / "scored",
        device="cpu",
        quiet=True,
        metrics=["fidelity"],
        image_encoders=["efficientnet-lite0"],
        text_encoders=[],
    )
    by = ["method", "reference", "prompt_id", "seed"]
    mine, theirs = (
        r.results.query("metric == 'fidelity'").set_index(by)["value"].sort_index()
        for r in (scored, done)
    )
    pd.testing.assert_series_equal(mine, theirs, check_exact=False, atol=1e-6)
