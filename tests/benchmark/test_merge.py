import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmark.atomic import checksums, read_record, write_json
from benchmark.cli import app
from benchmark.collect import collect
from benchmark.environment_record import LOST
from benchmark.environment_words import machines
from benchmark.errors import UserError
from benchmark.merge import merge
from benchmark.metrics.evidence import scores
from benchmark.plan import plan
from benchmark.runner import describe_run
from benchmark.store import Run, cell_folder

FAILED, NEVER = "failed", "never"


def work(run, cell, value):
    """The cell as a worker leaves it: with one score, failed, or not begun."""
    if value == NEVER:
        return
    folder = cell_folder(run, cell.key)
    folder.begin(cell)
    folder.log.write_text(f"log of {run.name}")
    if value == FAILED:
        folder.fail(cell, "ValueError", f"failed in {run.name}")
        return
    rows = [{"metric": "vendi", "value": value}]
    scores(rows).assign(encoder="e").to_parquet(folder.path / "scores.parquet", index=False)
    cost = {"stage": "score", "measure": "wall_seconds", "value": 1.0, "unit": "s"}
    write_json(folder.path / "cost.json", [cost | {"kind": "measured"}])
    folder.images.mkdir()
    (folder.images / "in-the-jungle-0.png").write_bytes(b"picture")
    folder.finish(cell)


@pytest.fixture
def made(small, tmp_path):
    """Makes a run of four cells; `made("a", 1.0, FAILED)` says what came of the first ones."""

    def make(name, *fates, machine="cpu A", **changes):
        config = small(subjects=["spotted_dog", "rain_boot"], **changes)
        path = tmp_path / name
        describe_run(config, path, plan(config), {})
        write_json(path / "environment.json", {"processor": machine, "worker": {"torch": 1}})
        for cell, fate in zip(Run.open(path).planned, fates, strict=False):
            work(path, cell, fate)
        return path

    return make


def test_shards_become_the_run_that_one_machine_would_have_made(made, tmp_path):
    whole = made("whole", 1.0, 2.0, 3.0, 4.0)
    collect(Run.open(whole))
    parts = [made("a", 1.0, NEVER, 3.0), made("b", NEVER, 2.0, NEVER, 4.0)]
    out = tmp_path / "out"
    merged = merge(parts, out)
    assert (merged.copied, merged.done, merged.failed, merged.missing) == (4, 4, 0, 0)
    for name in ("results", "costs", "cells"):
        assert (out / f"{name}.parquet").read_bytes() == (whole / f"{name}.parquet").read_bytes()
    for name in ("config.toml", "plan.json", "run.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert checksums(out / "photos") == checksums(whole / "photos")
    before = checksums(out)
    again = merge(parts, out)
    assert (again.copied, again.done) == (0, 4)
    assert checksums(out) == before


def test_a_cell_is_failed_only_where_nobody_has_done_it(made, tmp_path):
    parts = [made("a", FAILED, FAILED), made("b", 1.0, FAILED)]
    for _ in range(2):
        cell = Run.open(parts[1]).planned[1]
        work(parts[1], cell, FAILED)
    merged = merge(parts, tmp_path / "out")
    assert (merged.done, merged.failed, merged.missing) == (1, 1, 2)
    states = merged.run.cells().set_index("key")
    failed = states[states.status == "failed"].iloc[0]
    assert (failed.message, failed.attempts) == ("failed in b", 3)
    # A later folder has it done after all.
    later = merge([made("c", NEVER, 2.0)], tmp_path / "out")
    assert (later.copied, later.done, later.failed) == (1, 2, 0)


def test_a_damaged_cell_is_not_taken(made, tmp_path):
    part = made("a", 1.0)
    (key,) = [path.name for path in (part / "cells").iterdir()]
    with (part / "cells" / key / "scores.parquet").open("ab") as file:
        file.write(b"x")
    merged = merge([part], tmp_path / "out")
    assert (merged.copied, merged.done, merged.missing) == (0, 0, 4)


def test_a_picture_that_is_not_as_it_was_written_is_not_taken(made, tmp_path):
    source = made("a", 1.0, 2.0)
    (picture,) = sorted(source.glob("cells/*/images/*.png"))[:1]
    picture.write_bytes(b"pictuer")
    with pytest.raises(UserError, match=r"in-the-jungle-0.png is not as it was .*--repair"):
        merge([source], tmp_path / "out")


def test_what_was_begun_is_not_replaced_by_a_failure(made, tmp_path):
    begun, failed = made("begun", NEVER), made("failed", FAILED)
    cell = Run.open(begun).planned[0]
    folder = cell_folder(begun, cell.key)
    folder.begin(cell)
    write_json(folder.path / "checkpoint.json", {"files": {}})
    assert merge([failed], begun).copied == 0
    assert folder.state()["status"] == "pending"
    (folder.path / "checkpoint.json").unlink()
    assert merge([failed], begun).copied == 1
    assert folder.state()["status"] == "failed"


def test_a_file_that_changes_while_it_is_copied_is_told(made, tmp_path, monkeypatch):
    part = made("a", 1.0)
    out = tmp_path / "out"
    from benchmark import merge as module

    def half(folder, files):
        put(folder, files)
        (folder.path / "images" / "in-the-jungle-0.png").write_bytes(b"half")

    put = module.put_cell
    with monkeypatch.context() as patch:
        patch.setattr(module, "put_cell", half)
        with pytest.raises(UserError, match="changed while it was copied"):
            merge([part], out)
    assert merge([part], out).done == 1
    assert next(out.rglob("in-the-jungle-0.png")).read_bytes() == b"picture"


def test_two_answers_to_one_cell_are_refused_before_anything_is_written(made, tmp_path):
    parts = [made("a", 1.0), made("b", 1.5)]
    with pytest.raises(UserError, match=r"cell \w{16} \(base · spotted_dog · seed 0\) is done in"):
        merge(parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    merge(parts[:1], tmp_path / "out")
    before = checksums(tmp_path / "out")
    with pytest.raises(UserError, match="with different scores; leave one of the folders out"):
        merge(parts[1:], tmp_path / "out")
    assert checksums(tmp_path / "out") == before


def test_another_plan_is_refused_by_the_key_that_differs(made, tmp_path):
    parts = [made("a", 1.0), made("b", generation={"steps": 3})]
    with pytest.raises(
        UserError, match=r"b is of another run than .*a: generation.steps is 3, not"
    ):
        merge(parts, tmp_path / "out")
    shutil.copy(parts[0] / "config.toml", parts[1])
    shutil.copy(parts[0] / "run.json", parts[1])
    with pytest.raises(UserError, match="plan 8 different cells from one configuration"):
        merge(parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_and_how_fast_it_ran_is_no_other_plan(made, tmp_path):
    parts = [
        made("a", 1.0, execution={"workers": 3}, generation={"batch_size": 1}),
        made("b", NEVER, 2.0, title="Another title", machine="cpu B"),
    ]
    merged = merge(parts, tmp_path / "out")
    assert merged.done == 2
    assert merged.machines == 2
    environment = merged.run.environment
    assert environment["processor"] == "cpu A"
    assert [one["processor"] for one in environment["other_environments"]] == ["cpu B"]


def test_what_is_no_run_and_what_is_in_the_way_is_refused(made, tmp_path):
    part = made("a", 1.0)
    with pytest.raises(UserError, match="holds no run"):
        merge([tmp_path / "nothing"], tmp_path / "out")
    with pytest.raises(UserError, match="is among the folders to merge"):
        merge([part], part)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is no run; give --out a new folder"):
        merge([part], tmp_path / "mine")


def test_an_interrupted_merge_goes_on(made, tmp_path, monkeypatch):
    part, out = made("a", 1.0, 2.0), tmp_path / "out"

    def stop(*arguments):
        raise KeyboardInterrupt

    for name in ("copy_file", "put_cell"):
        with monkeypatch.context() as patch:
            patch.setattr(f"benchmark.merge.{name}", stop)
            with pytest.raises(KeyboardInterrupt):
                merge([part], out)
    half = cell_folder(out, next(iter(part_keys(part)))).path / ".scores.parquet.a1b2c3d4"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.touch()
    merged = merge([part], out)
    assert merged.done == 2
    assert not half.exists()
    known = read_record(out / "environment.json")
    assert LOST not in known
    assert machines(known) == machines(read_record(part / "environment.json"))


def part_keys(part):
    return [cell.key for cell in Run.open(part).planned]


def test_the_command_says_what_is_there_and_what_to_do_next(made, tmp_path):
    parts = [made("a", 1.0, FAILED), made("b", NEVER, NEVER, 3.0, machine="cpu B")]
    out = tmp_path / "out"
    told = CliRunner().invoke(app, ["merge", *map(str, parts), "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert "2 of 4 cells done, 1 failed, 1 missing; 3 copied now" in told.output
    assert "cells come from 2 kinds of machine: their times do not compare" in told.output
    assert f"tbbench run NAME --out {out} does what is missing" in told.output
    assert len(pd.read_parquet(out / "results.parquet")) == 2
