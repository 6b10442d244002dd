"""Run directories in which a file was lost, cut, flipped or swapped: nothing of it is believed.

Whatever is done to one file, reading the run ends well or in one line; a cell whose outcome is not
as it was written is not done; and what the cell had is not mixed with what came after.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.collect import collect
from benchmark.errors import UserError
from benchmark.plan_file import read_keys, read_resolved
from benchmark.run_folder import check_folder
from benchmark.store import Run
from reports.study import open_study
from tests.bad_inputs.damage import DAMAGE, WRONG_JSON
from tests.bad_inputs.refusal import check_line, refused, refused_by_command
from tests.reports.made_up import cell, make_run

TOP = ("config.toml", "environment.json", "run.json", "plan.json", "predictions.json")
TABLES = ("results.parquet", "costs.parquet", "cells.parquet", ".collected.json")
OUTCOME = ("scores.parquet", "cost.json", "cell.json")
OTHERS = ("checkpoint.json", "losses.json", "generate.json", "log.txt")
FILES = (*TOP, *TABLES, *(f"CELL/{name}" for name in (*OUTCOME, *OTHERS)))

Damage = Callable[[bytes], bytes | None]
WAYS: dict[str, Damage] = {"missing": lambda content: None, **DAMAGE}
FEW = ("missing", "empty", "half", "flipped in the middle", "a web page", "ones")
FEW_JSON = ("a list", "deep", "texts for tables", "nulls", "numbers", "later version")
DEEP = ("config.toml", "plan.json", *(f"CELL/{name}" for name in OUTCOME))
"""What decides whether a cell counts: every way for these, a few for the others."""
CASES = [
    (file, how)
    for file in FILES
    for how in (*WAYS, *WRONG_JSON)
    if (file in DEEP or how in (*FEW, *FEW_JSON)) and (how in WAYS or file.endswith(".json"))
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    cells = [cell("textboost", "dog_a"), cell("base", "dog_a")]
    made = make_run(tmp_path_factory.mktemp("runs") / "made-up", cells)
    (made.path / "predictions.json").write_text('{"version": 1, "note": "", "trainings": {}}\n')
    folder = made.folder(made.planned[0].key).path
    (folder / "checkpoint.json").write_text('{"files": {}, "costs": []}\n')
    (folder / "losses.json").write_text('{"losses": [0.5], "step_seconds": [0.1]}\n')
    (folder / "generate.json").write_text('{"seconds": {"x-0.png": 0.5}}\n')
    (folder / "log.txt").write_text("-- log\n")
    collect(made)
    return made


@pytest.fixture
def kept(run: Run) -> Iterator[Run]:
    """The run, put right again afterwards."""
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    yield run
    for path in run.path.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def read_all(path: Path) -> Run:
    """Everything that a report, a bundle or a second run reads of a run's folder."""
    check_folder(path)
    read_keys(path), read_resolved(path)
    run = Run.open(path)
    for one in run.planned:
        run.folder(one.key).losses()
        run.photos(one.subject)
    assert len(run.cell_info()) == 2
    study = open_study([path])
    assert len(study.cells()) == 2
    study.results(), study.costs(), study.warnings, study.about, study.configurations
    collect(run)
    run.results(), run.costs(), run.cells()
    return run


def write(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_run_with_one_file_damaged(kept: Run, name: str, how: str) -> None:
    first = kept.planned[0]
    file = kept.path / name.replace("CELL", f"cells/{first.key}")
    whole = file.read_bytes()
    damaged = WRONG_JSON[how].encode() if how in WRONG_JSON else WAYS[how](whole)
    results = kept.results()
    write(file, damaged)
    try:
        again = read_all(kept.path)
    except UserError as error:
        check_line(str(error))
        refusal = name
    else:
        refusal = None
    if refusal is not None:
        # One damaged cell must not keep the others from being read.
        assert refusal in ("config.toml", "plan.json", "run.json") or how == "later version"
        return
    folder = again.folder(first.key)
    outcome = name.removeprefix("CELL/") in OUTCOME and damaged != whole
    if outcome and name != "CELL/cell.json":
        assert not folder.done()
    # The tables hold what was written, of this cell too or of the other alone, and nothing else.
    assert set(again.results().method) in ({"textboost", "base"}, {"base"})
    assert again.results().merge(results).shape == again.results().shape
    # The next attempt begins whatever lies there, and leaves a record that is whole.
    folder.begin(first)
    assert isinstance(folder.state()["attempts"], int)
    folder.fail(first, "ValueError", "two\nlines\x1b[31m")
    assert folder.state()["status"] == "failed"


@pytest.mark.parametrize("arguments", [["report"], ["verify"], ["bundle"], ["score"]])
@pytest.mark.parametrize("name", ["config.toml", "plan.json"])
def test_commands_refuse_a_run_without_its_plan_in_one_line(
    kept: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], name: str
) -> None:
    (kept.path / name).write_text("[[")
    refused_by_command([*arguments, str(kept.path)], monkeypatch)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("file", "empty", "loop", "nothing", "a" * 300):
        refused(lambda name=name: Run.open(tmp_path / name))
    for name in ("config.toml", "plan.json"):
        (tmp_path / "folders" / name).mkdir(parents=True)
    refused(lambda: Run.open(tmp_path / "folders"))
