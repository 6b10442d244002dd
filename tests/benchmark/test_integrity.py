"""Damage of every kind, in every artifact of a real run: found, repaired, and made anew."""

import json
import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmark.atomic import files_under, read_json, read_record, write_json
from benchmark.cell import Circumstances, run_cell
from benchmark.cli import app
from benchmark.collect import collect
from benchmark.config import RunConfig
from benchmark.environment import environment
from benchmark.environment_record import record_environment
from benchmark.errors import UserError
from benchmark.estimate.planned import predict_trainings
from benchmark.integrity import Checked, check_run
from benchmark.plan import plan
from benchmark.quarantine import repair
from benchmark.records import write_sealed
from benchmark.run_folder import check_folder
from benchmark.runner import describe_run
from benchmark.store import Run, cell_folder
from methods import get_method
from tests.benchmark.conftest import SMALL

CELL_FILES = (
    *("cell.json", "checkpoint.json", "losses.json", "generate.json", "cost.json"),
    *("scores.parquet", "images/on-the-beach-0.png", "probes/class/000.png"),
    "checkpoint/learned_embeds.safetensors",
)
RUN_FILES = (
    *("config.toml", "plan.json", "run.json", "environment.json", "predictions.json"),
    *("results.parquet", "costs.parquet", "cells.parquet", "photos/spotted_dog/seen-00.png"),
)
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped bit": lambda whole: (
        whole[: len(whole) // 2]
        + bytes([whole[len(whole) // 2] ^ 4])
        + whole[len(whole) // 2 + 1 :]
    ),
    "truncated": lambda whole: whole[: len(whole) * 2 // 3],
    "empty": lambda whole: b"",
    "missing": lambda whole: None,
}
NOT_NEEDED = {"predictions.json", "cell.json"}
"""Files whose absence says nothing: a run may not have got so far."""


def work(config: RunConfig, folder: Path) -> Run:
    """What `tbbench run` does, in this process."""
    check_folder(folder)
    cells = plan(config)
    describe_run(config, folder, cells, {})
    if any(not cell_folder(folder, cell.key).done() for cell in cells):
        record_environment(folder, environment("cpu", 1, 1))
    for cell in cells:
        run_cell(folder, cell, Circumstances())
    run = Run.open(folder)
    predict_trainings(run, Console(file=StringIO()))
    collect(run)
    return run


@pytest.fixture(scope="module")
def made(
    tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunConfig, Path]]:
    """A finished run of one cell that trains, with probes and scores."""
    folder = tmp_path_factory.mktemp("integrity")
    table = SMALL | {
        "backbone": str(tiny_backbone),
        "methods": [SMALL["methods"][1]],
        "scoring": {
            "metrics": ["fidelity", "pres"],
            "image_encoders": ["efficientnet-lite0"],
            "text_encoders": [],
        },
    }
    config = RunConfig.model_validate(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TBBENCH_CACHE", str(folder / "cache"))
        work(config, folder / "run")
        yield config, folder / "run"


@pytest.fixture
def run(made: tuple[RunConfig, Path], tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(made[1], tmp_path / "run"))


def cell_path(run: Path) -> Path:
    (folder,) = (run / "cells").iterdir()
    return folder


def damage(file: Path, kind: str) -> None:
    content = DAMAGES[kind](file.read_bytes())
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


def found(run: Path) -> set[str]:
    return {finding.file for finding in check_run(run).findings}


def content(run: Path) -> dict[str, bytes]:
    """What lasts of the run's only cell, without what was measured."""
    folder = cell_path(run)
    kept = ("images", "probes", "checkpoint")
    files = [name for name in files_under(folder) if name.split("/")[0] in kept]
    return {name: (folder / name).read_bytes() for name in files}


def test_a_finished_run_is_whole(run: Path) -> None:
    for name in CELL_FILES:
        assert (cell_path(run) / name).is_file(), name
    for name in RUN_FILES:
        assert (run / name).is_file(), name
    before = {name: (run / name).stat().st_mtime_ns for name in files_under(run)}
    checked = check_run(run)
    assert checked.findings == ()
    assert list(checked.cells.values()) == ["whole"]
    assert {name: (run / name).stat().st_mtime_ns for name in files_under(run)} == before


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_in_every_file(run: Path, kind: str) -> None:
    for name in CELL_FILES + RUN_FILES:
        file = (cell_path(run) if name in CELL_FILES else run) / name
        if kind == "missing" and name in NOT_NEEDED:
            continue
        whole = file.read_bytes()
        damage(file, kind)
        assert file.relative_to(run).as_posix() in found(run), name
        file.write_bytes(whole)
    assert found(run) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", CELL_FILES)
def test_a_damaged_cell_is_made_anew_and_no_more_of_it_than_needed(
    made: tuple[RunConfig, Path], run: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, straight = made
    trained: list[str] = []
    kind = type(get_method("textual-inversion"))
    train = kind.train
    monkeypatch.setattr(
        kind, "train", lambda self, *rest: trained.append(name) or train(self, *rest)
    )
    damage(cell_path(run) / name, "flipped bit")
    mended = repair(run, check_run(run))
    assert mended
    assert (run / "quarantine" / "cells" / cell_path(run).name / name).is_file()
    scored = (cell_path(run) / "scores.parquet").stat().st_ino if name != "scores.parquet" else 0
    work(config, run)
    checked = check_run(run)
    assert checked.findings == ()
    assert list(checked.cells.values()) == ["whole"]
    assert content(run) == content(straight)
    assert Run.open(run).results().equals(Run.open(straight).results())
    needed = name in ("losses.json", "checkpoint/learned_embeds.safetensors")
    assert trained == ([name] if needed else [])
    if name == "checkpoint.json":  # written again from what the cell knows of it
        assert (cell_path(run) / "scores.parquet").stat().st_ino == scored
        assert (cell_path(run) / name).read_bytes() == (cell_path(straight) / name).read_bytes()


def test_what_describes_the_run_is_set_aside_and_written_again(
    made: tuple[RunConfig, Path], run: Path
) -> None:
    config, straight = made
    scores = (cell_path(run) / "scores.parquet").stat().st_ino
    for name in RUN_FILES:
        damage(run / name, "flipped bit")
    files = {mended.finding.file for mended in repair(run, check_run(run))}
    # The others are told by these, and are made anew by the next run all the same.
    assert {"config.toml", "plan.json", "run.json", "environment.json"} <= files
    work(config, run)
    # What the cells ran on was known by that file alone.
    assert found(run) == {"environment.json"}
    assert (cell_path(run) / "scores.parquet").stat().st_ino == scores
    assert Run.open(run).results().equals(Run.open(straight).results())
    assert (run / "quarantine" / "environment.json").is_file()


def test_what_belongs_to_no_cell_is_set_aside(run: Path) -> None:
    cell = cell_path(run)
    (cell / "images" / "another-0.png").write_bytes(b"x")
    (cell / "images" / ".on-the-beach-0.png.ab12cd34").write_bytes(b"half")
    (run / "cells" / "notes").mkdir()
    (run / "photos" / "spotted_dog" / "mine.txt").write_text("x")
    (run / ".plan.json.ab12cd34").write_text("half")
    checked = check_run(run)
    assert len(checked.findings) == 5
    done = {mended.finding.file: mended.done for mended in repair(run, checked)}
    assert sorted(done.values())[-2:] == ["removed", "removed"]
    assert not (cell / "images" / ".on-the-beach-0.png.ab12cd34").exists()
    assert (run / "quarantine" / "cells" / cell.name / "images" / "another-0.png").is_file()
    assert check_run(run).whole
    (cell / "images" / "another-0.png").write_bytes(b"y")
    repair(run, check_run(run))
    aside = run / "quarantine" / "cells" / cell.name / "images"
    assert {file.read_bytes() for file in aside.iterdir()} == {b"x", b"y"}


def test_a_cell_with_a_live_owner_is_left_alone(run: Path) -> None:
    cell = cell_path(run)
    damage(cell / "cost.json", "empty")
    checked = check_run(run)
    assert list(checked.cells.values()) == ["damaged"]
    with cell_folder(run, cell.name).lock():
        assert list(check_run(run).cells.values()) == ["running"]
        assert check_run(run).findings == ()
        (mended,) = repair(run, checked)
        assert mended.done == "left alone: the cell is worked on"
        assert not (run / "quarantine").exists()
        damage(run / "run.json", "empty")
        running = check_run(run)
        assert {one.done for one in repair(run, running)} == {
            "left alone while cells are worked on"
        }


def test_a_cell_from_before_checksums_is_not_called_whole(run: Path) -> None:
    file = cell_path(run) / "cell.json"
    record = read_record(file)
    write_json(file, {k: v for k, v in record.items() if k != "artifacts"} | {"version": 1})
    checked = check_run(run)
    assert list(checked.cells.values()) == ["not recorded"]
    assert not checked.whole
    # What can be told without them is told.
    damage(cell_path(run) / "images" / "on-the-beach-0.png", "flipped bit")
    damage(cell_path(run) / "checkpoint" / "learned_embeds.safetensors", "flipped bit")
    assert {"on-the-beach-0.png", "learned_embeds.safetensors"} <= {
        Path(file).name for file in found(run)
    }


def test_a_cell_that_says_it_is_another_is_found(run: Path) -> None:
    file = cell_path(run) / "cell.json"
    record = read_record(file)
    record["cell"]["train_seed"] = 7
    write_sealed(file, record)
    (finding,) = check_run(run).findings
    assert "of another cell" in finding.what


def test_tables_are_held_against_the_cells(run: Path) -> None:
    """Also where whoever changed them changed their recorded checksums."""
    import pandas as pd

    from benchmark.atomic import checksum

    frame = pd.read_parquet(run / "results.parquet")
    frame.assign(value=frame["value"] + 0.1).to_parquet(run / "results.parquet", index=False)
    stamp = read_json(run / ".collected.json")
    stamp["tables"]["results.parquet"] = checksum(run / "results.parquet")
    write_json(run / ".collected.json", stamp)
    assert found(run) == {"results.parquet"}


def test_the_command_tells_and_counts(run: Path, tmp_path: Path) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["check", str(run), *arguments])
        return done.exit_code, done.output

    code, out = call()
    assert (code, out.strip().splitlines()[-1]) == (0, f"{run}: 1 cell: 1 whole; nothing amiss")
    damage(cell_path(run) / "cost.json", "truncated")
    code, out = call()
    assert code == 1
    assert f"cells/{cell_path(run).name}/cost.json: damaged: its " in out
    assert out.strip().endswith("1 cell: 1 damaged; 1 finding")
    code, out = call("--json")
    told = json.loads(out)
    assert (code, told["whole"], len(told["findings"])) == (1, False, 1)
    code, out = call("--repair")
    assert code == 1
    assert f"moved to quarantine/cells/{cell_path(run).name}/cost.json" in out
    assert call()[0] == 0  # it waits for the next run, and nothing of it is wrong
    assert list(check_run(run).cells.values()) == ["pending"]
    with pytest.raises(UserError, match="holds no run"):
        check_run(tmp_path / "absent")


def test_a_newer_cell_is_named_and_never_touched(run: Path) -> None:
    file = cell_path(run) / "cell.json"
    write_sealed(file, read_record(file) | {"version": 99})
    checked: Checked = check_run(run)
    assert "newer textboost-bench (cell.json version 99" in checked.findings[0].what
    before = file.read_bytes()
    repair(run, checked)
    assert file.read_bytes() == before
