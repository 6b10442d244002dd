"""Packing a bundle: the same bytes every time, and nothing that is not as the run left it."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.bundle import pack as pack_module
from benchmark.bundle.archive import RECORDS, read_zip
from benchmark.bundle.check import check_bundle
from benchmark.bundle.pack import pack
from benchmark.claims.file import parse_claims
from benchmark.errors import UserError
from benchmark.records import write_sealed
from benchmark.runner import run_benchmark
from benchmark.store import Run
from tests.benchmark.bundle.conftest import CLAIMS, METHODS, SUBJECTS, keep_training_costs, planned
from tests.reports.made_up import make_run


def test_the_same_run_gives_the_same_bytes(run, whole, tmp_path):
    again = pack(run, tmp_path / "again.zip", [parse_claims(CLAIMS, "mine.toml")])
    assert (tmp_path / "again.zip").read_bytes() == whole.read_bytes()
    assert again.digest == hashlib.sha256(whole.read_bytes()).hexdigest()


def test_an_unfinished_run_is_packed_as_far_as_it_is(tmp_path):
    cells = [planned(method, subject) for subject in SUBJECTS for method in METHODS]
    run = make_run(
        tmp_path / "half",
        cells,
        failed=[("textboost", "dog_a")],
        pending=[("dreambooth", "dog_b")],
    )
    keep_training_costs(run)
    pack(run, tmp_path / "half.zip", [parse_claims(CLAIMS, "mine.toml")])
    checked = check_bundle(tmp_path / "half.zip")
    assert checked.differences == ()
    (better, _) = json.loads(read_zip(tmp_path / "half.zip")["verdicts.json"])
    # Only 3 of 5 subjects have both: too few.
    assert (better["verdict"], better["n"]) == ("INCONCLUSIVE", 3)


@pytest.mark.slow
def test_a_real_run_makes_a_bundle_that_holds(small, tmp_path):
    """What the harness itself wrote: training, costs, pictures and all."""
    scoring = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]}
    methods = [{"name": "copy"}, {"name": "textual-inversion", "preset": "toy"}]
    config = small(scoring=scoring, methods=methods, generation={"seeds": [0]})
    outcome = run_benchmark(config, tmp_path / "small", Console(quiet=True))
    assert not outcome.failures
    pack(outcome.run, tmp_path / "small.zip", [parse_claims(CLAIMS, "mine.toml")])
    checked = check_bundle(tmp_path / "small.zip")
    assert checked.differences == ()
    assert checked.study.results.equals(Run.open(tmp_path / "small").results())
    assert len(checked.study.results) > 0


def test_a_run_that_goes_on_meanwhile_is_not_packed(run, tmp_path, monkeypatch):
    """Its tables would be of one instant and its cells of another: forged, to whoever verifies."""
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    judge = pack_module.judge_all

    def meanwhile(*arguments):
        record = next((copy / "cells").glob("*/cell.json"))
        record.write_text(record.read_text().replace('"attempts": 1', '"attempts": 2'))
        return judge(*arguments)

    monkeypatch.setattr(pack_module, "judge_all", meanwhile)
    with pytest.raises(UserError, match="cells were worked on meanwhile; bundle it again when"):
        pack(Run.open(copy), tmp_path / "out.zip", [parse_claims(CLAIMS, "mine.toml")])
    assert not (tmp_path / "out.zip").exists()


def test_a_picture_that_is_not_the_scored_one_is_not_packed(run, tmp_path):
    """As opened and saved in an editor."""
    copy = Path(shutil.copytree(run.path, tmp_path / "made-up"))
    picture = sorted(copy.glob("cells/*/images/*.png"))[0]
    picture.write_bytes(sorted(copy.glob("cells/*/images/*.png"))[1].read_bytes())
    with pytest.raises(UserError, match=rf"{picture.name} is not the picture that was scored; `tb"):
        pack(Run.open(copy), tmp_path / "other.zip", [parse_claims(CLAIMS, "mine.toml")])
    assert not (tmp_path / "other.zip").exists()


def test_a_run_whose_environment_was_altered_is_not_packed(run, tmp_path):
    copy = Path(shutil.copytree(run.path, tmp_path / "made-up"))
    file = copy / "environment.json"
    write_sealed(file, json.loads(file.read_text()))
    file.write_text(file.read_text().replace("3.11.9", "3.12.0"))
    with pytest.raises(UserError, match=r"environment\.json is not as it was written; `tbbench ch"):
        pack(Run.open(copy), tmp_path / "other.zip", [parse_claims(CLAIMS, "mine.toml")])


@pytest.mark.parametrize("name", RECORDS)
def test_a_run_that_lost_a_record_is_not_packed(run, tmp_path, name):
    copy = Path(shutil.copytree(run.path, tmp_path / "made-up"))
    opened = Run.open(copy)
    (copy / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing; the run's command"):
        pack(opened, tmp_path / "other.zip", [parse_claims(CLAIMS, "mine.toml")])


def test_a_run_without_results_has_no_evidence(tmp_path):
    cells = [planned("textboost", "dog_a")]
    run = make_run(tmp_path / "empty", cells, pending=[("textboost", "dog_a")])
    with pytest.raises(UserError, match="no cell is done"):
        pack(run, tmp_path / "out.zip", [])


def test_two_claims_files_of_one_name_are_refused(run, tmp_path):
    files = [parse_claims(CLAIMS, name) for name in ("a/mine.toml", "b/mine.toml")]
    with pytest.raises(UserError, match="two claims files are called 'mine'"):
        pack(run, tmp_path / "out.zip", files)
