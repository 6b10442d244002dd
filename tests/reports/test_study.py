"""Several runs in one report: what is merged, what is told apart, and what is refused."""

import json
import sys
import types
from dataclasses import replace
from importlib.metadata import EntryPoint

import pandas as pd
import pytest

import reports
from benchmark import metrics
from benchmark.collect import collect
from benchmark.errors import UserError
from benchmark.records import write_sealed
from benchmark.store import Run, cell_folder
from reports.comparable import check_comparable
from reports.cost_figures import MACHINES
from reports.fact_tables import costs_in_cells
from reports.frames import pareto_points
from reports.study import merge, open_study
from reports.tables import headline, summary
from tests.reports.made_up import cell, make_run

FASTER = {"settings": {"steps": 60, "learning_rate": 5e-4}}


def made(folder, *cells, **environment):
    run = make_run(folder, list(cells))
    (folder / "environment.json").write_text(json.dumps({"processor": "one", **environment}))
    return Run.open(run.path)


def methods(frame):
    return sorted(set(zip(frame["method"], frame["preset"], strict=True)))


def test_a_study_of_one_run_is_the_run_and_writes_nothing_into_it(tmp_path):
    run = made(tmp_path / "a", cell("base", "dog_a"), cell("textboost", "dog_a"))
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    study = open_study([run.path])
    assert study.results().equals(run.results())
    assert study.costs().equals(run.costs())
    assert study.cells().equals(run.cells())
    info = [
        {name: v for name, v in one.items() if name not in ("run", "software")}
        for one in study.cell_info()
    ]
    assert info == run.cell_info()
    assert study.report_folder == run.path / "report"
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_a_cell_that_finished_after_the_last_collect_is_in_the_study(tmp_path):
    cells = [cell("base", "dog_a"), cell("textboost", "dog_a")]
    run = make_run(tmp_path / "a", cells)
    folder = run.folder(cells[1].key)
    with folder.lock():
        folder.begin(cells[1])
        folder.fail(cells[1], "OutOfMemoryError", "3 GB")
        collect(run)
        folder.finish(cells[1])
    assert set(run.results()["method"]) == {"base"}
    assert set(merge([run]).results()["method"]) == {"base", "textboost"}


def test_other_methods_and_subjects_of_several_runs_stand_in_one_table(tmp_path):
    one = made(tmp_path / "a", cell("base", "dog_a"), cell("textboost", "dog_a"))
    two = made(
        tmp_path / "b",
        cell("base", "dog_a"),
        cell("dreambooth", "dog_a"),
        cell("textboost", "cat_c"),
    )
    study = merge([one, two])
    assert methods(study.results()) == [
        ("base", "paper"),
        ("dreambooth", "toy"),
        ("textboost", "toy"),
    ]
    # `base` on dog_a is the same cell in both: it counts once.
    assert study.repeated == 1
    assert "1 cell is in several of these runs and counted once." in study.warnings
    alone = len(one.results()) + len(two.results())
    again = int((one.results()["method"] == "base").sum())
    assert len(study.results()) == alone - again
    assert len(study.cells()) == len(study.cell_info()) == 4
    for info in study.cell_info():
        assert study.image(info["key"], "on-the-beach", 1).is_file()
    assert [path.name for path in study.photos("cat_c")["seen"]] == ["seen-00.png"]
    assert study.report_folder == tmp_path / "report-a-b"
    assert [name for name, _ in study.configurations] == ["a", "b"]


def test_the_run_that_has_the_cell_done_gives_it(tmp_path):
    lost = cell("textboost", "dog_a")
    one = make_run(tmp_path / "a", [lost], failed={("textboost", "dog_a")})
    two = make_run(tmp_path / "b", [lost])
    study = merge([one, two])
    assert study.image(lost.key, "on-the-beach", 1).is_relative_to(two.path)
    assert [info["status"] for info in study.cell_info()] == ["done"]


@pytest.mark.parametrize(
    ("change", "machine"),
    [
        (FASTER, "one"),
        ({"code_version": "other"}, "one"),
        ({"compute": {"precision": "bf16"}}, "one"),
        ({"metrics": {"fidelity": "f"}}, "one"),  # the same training, scored otherwise: twice there
        ({"subject": "cat_c"}, "another"),
    ],
)
def test_the_same_name_for_another_treatment_says_which_run(tmp_path, change, machine):
    one = made(tmp_path / "a", cell("textboost", "dog_a"))
    changed = cell(**({"method": "textboost", "subject": "dog_a"} | change))
    two = made(tmp_path / "b", changed, processor=machine)
    study = merge([one, two])
    expected = [("textboost", "toy, run a"), ("textboost", "toy, run b")]
    assert methods(study.results()) == methods(study.costs()) == methods(study.cells()) == expected
    assert {info["preset"] for info in study.cell_info()} == {"toy, run a", "toy, run b"}
    assert any("textboost (toy) differs between these runs" in said for said in study.warnings)


def test_two_metrics_of_packages_that_write_one_name_are_not_pooled(tmp_path, monkeypatch):
    """As of a package and its fork, each the metric of one run."""
    points = []
    for name, emits in (("sharp-a", {"sharp": "higher"}), ("sharp-b", {"sharp": "lower"})):
        module = types.ModuleType(name.replace("-", "_"))
        module.EMITS = emits
        monkeypatch.setitem(sys.modules, module.__name__, module)
        points.append(EntryPoint(name, module.__name__, metrics.ENTRY_POINTS))
    monkeypatch.setattr(metrics, "entry_points", lambda group: points)
    one, two, other = (
        made(tmp_path / folder, cell(method, "dog_a", metrics={metric: "1"}))
        for folder, method, metric in (
            ("a", "base", "sharp-a"),
            ("b", "textboost", "sharp-b"),
            ("c", "textboost", "not-installed"),
        )
    )
    with pytest.raises(UserError, match=r"'sharp-a' of .*a and metric 'sharp-b' of .*b both"):
        merge([one, two])
    merge([one, other])


def test_more_subjects_of_the_same_treatment_on_the_same_machine_are_one_method(tmp_path):
    one = made(tmp_path / "a", cell("textboost", "dog_a"))
    two = made(tmp_path / "b", cell("textboost", "cat_c"), cell("textboost", "dog_a", train_seed=1))
    study = merge([one, two])
    assert methods(study.results()) == [("textboost", "toy")]
    assert study.warnings == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset": "dreambench"}, "data set is 'toyworld' in A and 'dreambench' in B"),
        ({"split": "n3"}, "split is 'n1' in A and 'n3' in B"),
        ({"backbone": "sd15"}, "backbone is 'toy' in A and 'sd15' in B"),
        ({"backbone_revision": "ff"}, "backbone revision is '0123456789ab' in A and 'ff' in B"),
        ({"resolution": 512}, "resolution is '64' in A and '512' in B"),
        ({"protocol_name": "strict"}, "protocol is 'none' in A and 'strict' in B"),
        ({"sampler": "ddim"}, "sampler is 'dpm++' in A and 'ddim' in B"),
        ({"steps": 50}, "steps is '25' in A and '50' in B"),
        ({"guidance_scale": 5.0}, "guidance scale is '7.5' in A and '5.0' in B"),
        ({"seeds": [0, 1, 2]}, "generation seeds is '(0, 1)' in A and '(0, 1, 2)' in B"),
        ({"outcome_version": 1}, "version of the harness's outcomes is '2' in A and '1' in B"),
        (
            {"prompts": {"in-the-jungle": "a {subject} in the jungle"}},
            "prompts of live subjects, 'on-the-beach' is 'a {subject} on the beach' in A and "
            "missing in B",
        ),
        ({"class_noun": "puppy"}, "dog_a, 'class noun' is 'dog' in A and 'puppy' in B"),
        ({"seen": {"00.png": "z"}}, "training photos of dog_a, '00.png' is 'a' in A and 'z' in B"),
        ({"unseen": {"01.png": "b"}}, "held-out photos of dog_a, '02.png' is 'c' in A and missing"),
        (
            {"metrics": {"fidelity": "new"}},
            "version of metric 'fidelity' is 'f' in A and 'new' in B",
        ),
        (
            {"image_encoders": {"efficientnet-lite0": "other"}},
            "revision of encoder 'efficientnet-lite0' is 'e' in A and 'other' in B",
        ),
        (
            {"text_encoders": {"toy-clip": "other"}, "image_encoders": {}},
            "revision of encoder 'toy-clip' is 'e' in A and 'other' in B",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_both_values(change, said):
    one, two = cell("textboost", "dog_a"), cell("dreambooth", "dog_a", **change)
    with pytest.raises(UserError) as refused:
        check_comparable([("A", [one]), ("B", [two])])
    message = str(refused.value)
    assert message.startswith(f"A and B cannot be compared: {said}")
    assert message.endswith("; report them apart")
    assert "\n" not in message
    check_comparable([("A", [one]), ("B", [replace(one, method="dreambooth")])])


def test_other_subjects_photos_count_where_a_metric_looks_at_them():
    one, two = (cell("textboost", "dog_a", others={"dog_b/00.png": sha}) for sha in "ab")
    with pytest.raises(UserError, match=r"photos of other subjects, 'dog_b/00.png' is 'a' in A"):
        check_comparable([("A", [one]), ("B", [two])])
    check_comparable([("A", [one]), ("B", [replace(two, others={})])])


def test_fewer_metrics_and_encoders_are_no_reason_to_refuse():
    whole = cell("textboost", "dog_a")
    part = replace(whole, metrics={"fidelity": "f"}, text_encoders={}, image_encoders={})
    check_comparable([("A", [whole]), ("B", [part])])


def test_a_third_run_is_compared_too_and_none_is_named_twice(tmp_path):
    one = made(tmp_path / "a", cell("textboost", "dog_a"))
    two = made(tmp_path / "b", cell("dreambooth", "dog_a"))
    three = made(tmp_path / "c", cell("base", "dog_a", split="n3"))
    with pytest.raises(UserError, match=r"a and .*c cannot be compared: split is 'n1'"):
        merge([one, two, three])
    with pytest.raises(UserError, match="is named twice"):
        open_study([tmp_path / "a", tmp_path / "b", tmp_path / "b" / ".." / "a"])


def test_runs_of_one_folder_name_are_called_by_what_is_above_them(tmp_path):
    one = made(tmp_path / "x" / "run", cell("textboost", "dog_a"))
    two = made(tmp_path / "y" / "run", cell("textboost", "dog_a", **FASTER))
    study = merge([one, two])
    assert [part.name for part in study.parts] == ["x/run", "y/run"]
    assert study.report_folder == tmp_path / "x" / "report-x-run-y-run"


def test_costs_of_different_machines_are_marked_and_not_drawn_against_each_other(tmp_path):
    one = made(tmp_path / "a", cell("textboost", "dog_a"))
    two = made(tmp_path / "b", cell("dreambooth", "dog_a"), processor="another")
    study = merge([one, two])
    (said,) = study.warnings
    assert "a: one; b: another" in said
    assert "must not be compared" in said
    spent = study.costs()
    assert set(zip(spent["method"], spent["machine"], strict=True)) == {
        ("textboost", "a"),
        ("dreambooth", "b"),
    }
    assert MACHINES in costs_in_cells(spent).notes
    folder = reports.render(study).parent
    assert MACHINES in (folder / "costs.md").read_text()
    written = pd.read_csv(folder / "costs.csv").set_index("label")
    assert written["machine"].to_dict() == {"textboost": "a", "dreambooth": "b"}
    table = summary(study.results())
    column = headline(table)[0]
    assert set(pareto_points(table, spent, column)["cost"]) == {"checkpoint"}
    still = merge([one])
    still.parts[0].tables["costs"].loc[0, "measure"] = "pauses"
    assert "process stood still" in still.warnings[0]
    # On one machine all three are drawn.
    (two.path / "environment.json").write_text(json.dumps({"processor": "one"}))
    alike = merge([one, Run.open(two.path)])
    assert alike.warnings == []
    assert "machine" not in alike.costs()
    assert MACHINES not in costs_in_cells(alike.costs()).notes
    folder = reports.render(alike, tmp_path / "alike").parent
    assert MACHINES not in (folder / "costs.md").read_text()
    assert "machine" not in pd.read_csv(folder / "costs.csv")
    assert pareto_points(table, alike.costs(), column)["cost"].nunique() == 3


def test_costs_of_one_run_on_unlike_machines_are_marked_and_not_drawn_either(tmp_path):
    """As on a cluster whose nodes differ, or after a merge of what two machines did."""
    run = made(tmp_path / "a", cell("textboost", "dog_a"), cell("dreambooth", "dog_a"))
    own = {"processor": "one", "worker": {}}
    other = {"processor": "another", "worker": {}}
    file = tmp_path / "a" / "environment.json"
    file.write_text(json.dumps(own | {"other_environments": [other]}))
    study = merge([Run.open(run.path)])
    (said,) = study.warnings
    assert "Cells of a were done on different machines (one; another)" in said
    assert MACHINES in costs_in_cells(study.costs()).notes
    table = summary(study.results())
    points = pareto_points(table, study.costs(), headline(table)[0])
    assert set(points["cost"]) == {"checkpoint"}
    # The same machine with other software is one machine.
    file.write_text(json.dumps(own | {"other_environments": [own | {"packages": {}}]}))
    alike = merge([Run.open(run.path)])
    assert alike.warnings == []
    assert "machine" not in alike.costs()
    # Other code is told, whatever the machine.
    codes = [own | {"code": code, "git_commit": None} for code in ("1234", "5678")]
    file.write_text(json.dumps(codes[0] | {"other_environments": codes[1:]}))
    (said,) = merge([Run.open(run.path)]).warnings
    assert "may have been made with different software (code 1234; code 5678)" in said


@pytest.mark.parametrize("harm", ["lost", "altered"])
def test_costs_of_machines_that_are_not_known_any_more_do_not_compare(tmp_path, harm):
    """As after an rsync that left environment.json behind."""
    run = make_run(tmp_path / "a", [cell("textboost", "dog_a"), cell("dreambooth", "dog_a")])
    file = run.path / "environment.json"
    write_sealed(file, run.environment)
    assert merge([Run.open(run.path)]).warnings == []
    if harm == "lost":
        file.unlink()
    else:
        file.write_text(file.read_text().replace("3.11.9", "3.12.0"))
    study = merge([Run.open(run.path)])
    (said,) = study.warnings
    assert "What machine and software cells of a were made with is not known" in said
    assert MACHINES in costs_in_cells(study.costs()).notes


def test_other_software_of_another_run_is_told_and_other_scores_of_the_same_cell(tmp_path):
    """As after an update between two runs."""
    one = made(tmp_path / "a", cell("textboost", "dog_a"), code="1234", worker={})
    two = made(tmp_path / "b", cell("textboost", "dog_b"), code="5678", worker={})
    (said,) = merge([one, two]).warnings
    assert "Cells of these runs may have been made with different software (code 1234; " in said
    again = made(tmp_path / "c", cell("textboost", "dog_a"), code="1234", worker={})
    study = merge([one, again])
    assert (study.repeated, study.unlike) == (1, 0)
    scores = again.path / "cells" / again.planned[0].key / "scores.parquet"
    table = pd.read_parquet(scores)
    table["value"] += 0.01
    table.to_parquet(scores)
    cell_folder(again.path, again.planned[0].key).finish(again.planned[0])
    study = merge([one, again])
    assert (study.repeated, study.unlike) == (1, 1)
    assert "1 of them has other scores in one run than in another" in " ".join(study.warnings)


def test_a_configuration_in_another_encoding_is_one_line(tmp_path):
    run = made(tmp_path / "a", cell("textboost", "dog_a"))
    text = (run.path / "config.toml").read_text()
    (run.path / "config.toml").write_text(text, encoding="utf-16")
    with pytest.raises(UserError, match=r"config\.toml is not UTF-8; save it as UTF-8$"):
        open_study([run.path])
