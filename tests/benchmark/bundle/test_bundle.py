"""Evidence bundles: whole ones are found whole, and every change is named."""

import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from benchmark.bundle import pack as pack_module
from benchmark.bundle.archive import RECORDS, read_zip, zip_bytes
from benchmark.bundle.check import check_bundle, checksum_differences
from benchmark.bundle.choice_check import choice_differences
from benchmark.bundle.pack import pack
from benchmark.claims.file import parse_claims
from benchmark.claims.measured import preset_settings
from benchmark.config import Prior, Training
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.records import write_sealed
from benchmark.runner import run_benchmark
from benchmark.store import Run
from tests.reports.made_up import cell, config, make_run

CHANGED = " is not the file that was packed: another SHA-256"
METHODS = ("textboost", "dreambooth")
SUBJECTS = ("dog_a", "dog_b", "cat_c", "teapot_d", "clock_e")
CLAIMS = """
[[claim]]
id = "better"
sentence = "TextBoost follows prompts better."
source = "this test"
preset = "toy"
expression = "difference(alignment@toy-clip, textboost, dreambooth) > 0.01"

[[claim]]
id = "quicker"
sentence = "TextBoost is quicker."
source = "this test"
preset = "toy"
expression = "ratio(seconds, textboost, dreambooth) < 1"
"""


def planned(method: str, subject: str) -> Cell:
    return cell(
        method,
        subject,
        compute=Training().model_dump(exclude={"steps", "resolution"}),
        prior=Prior().model_dump(),
        settings=preset_settings(method, "toy"),
    )


def keep_training_costs(run: Run) -> None:
    """checkpoint.json of every cell that is done, as training writes it."""
    for one in run.planned:
        folder = run.folder(one.key).path
        if not (folder / "cost.json").is_file():
            continue
        costs = json.loads((folder / "cost.json").read_text())
        trained = [c for c in costs if c["stage"] in ("load", "prepare", "train", "save")]
        content = {"files": {"model.safetensors": "0" * 64}, "costs": trained}
        (folder / "checkpoint.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """5 subjects, 2 methods, which keep the costs of their training twice."""
    cells = [planned(method, subject) for subject in SUBJECTS for method in METHODS]
    made = make_run(tmp_path_factory.mktemp("runs") / "made-up", cells)
    keep_training_costs(made)
    return made


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "evidence.zip"
    pack(run, out, [parse_claims(CLAIMS, "somewhere/mine.toml")])
    return out


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


def test_a_whole_bundle_is_found_whole(run, whole):
    checked = check_bundle(whole, hashlib.sha256(whole.read_bytes()).hexdigest())
    assert checked.differences == ()
    assert [file.name for file in checked.claims] == ["mine"]
    assert checked.study.results.equals(run.results())
    assert checked.study.costs.equals(run.costs())
    files = read_zip(whole)
    verdicts = {v["id"]: v for v in json.loads(files["verdicts.json"])}
    assert verdicts["better"]["verdict"] == "SUPPORTED"
    # Both took 1.5 s in every cell: the ratio is 1, and not below it.
    assert verdicts["quicker"]["verdict"] == "REFUTED"
    assert verdicts["quicker"]["estimate"] == 1.0
    frame = run.results()
    mine = frame[(frame.method == "textboost") & (frame.metric == "alignment")]
    (stated,) = [
        one
        for one in json.loads(files["statistics.json"])["scores"]
        if (one["method"], one["metric"]) == ("textboost", "alignment")
    ]
    assert stated["mean"] == pytest.approx(mine.groupby("subject").value.mean().mean())
    assert (stated["subjects"], stated["scores"]) == (5, 20)
    assert len(json.loads(files["pictures.json"])) == 10 * 4
    assert sum(name.startswith("thumbnails/") for name in files) == 10 * 4


def test_the_same_run_gives_the_same_bytes(run, whole, tmp_path):
    again = pack(run, tmp_path / "again.zip", [parse_claims(CLAIMS, "mine.toml")])
    assert (tmp_path / "again.zip").read_bytes() == whole.read_bytes()
    assert again.digest == hashlib.sha256(whole.read_bytes()).hexdigest()


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


def write(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(zip_bytes(files))
    return path


def signed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Checksums made anew to fit: bundle.json's, and those that the cells keep."""
    files = dict(files)
    for name in [name for name in files if name.endswith("/cell.json")]:
        record = json.loads(files[name])
        if record["status"] == "done":
            folder = name.removesuffix("cell.json")
            for file in record["outcome"]:
                record["outcome"][file] = hashlib.sha256(files[folder + file]).hexdigest()
            files[name] = json.dumps(record).encode()
    manifest = json.loads(files["bundle.json"])
    manifest["files"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "bundle.json"
    }
    files["bundle.json"] = json.dumps(manifest).encode()
    return files


def one_parquet_value(content: bytes) -> bytes:
    frame = pd.read_parquet(io.BytesIO(content))
    column = "value" if "value" in frame else "attempts"
    frame.loc[3, column] = frame.loc[3, column] + (1e-6 if column == "value" else 1)
    changed = io.BytesIO()
    frame.to_parquet(changed, index=False)
    return changed.getvalue()


def in_json(change):
    def changed(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return changed


def put(place, value):
    """Sets one value deep inside a JSON file."""

    def change(content):
        for step in place[:-1]:
            content = content[step]
        assert not isinstance(content, list) or content[place[-1]] != value
        assert not isinstance(content, dict) or content.get(place[-1]) != value
        content[place[-1]] = value

    return in_json(change)


def replaced(before: str, after: str):
    def changed(content: bytes) -> bytes:
        assert before in content.decode()
        return content.decode().replace(before, after, 1).encode()

    return changed


# File (a prefix, of several the first) -> change of one number -> what names it once signed anew.
TAMPERED = [
    ("results.parquet", one_parquet_value, r"results\.parquet: row 3 .* value is "),
    ("costs.parquet", one_parquet_value, r"costs\.parquet: row 3 .* value is "),
    ("cells.parquet", one_parquet_value, r"cells\.parquet: row 3 .* attempts is 2"),
    ("scores.parquet", one_parquet_value, r"results\.parquet: row \d+ .* value is .* raw rows"),
    ("cost.json", put([0, "value"], 1.25), r"costs\.parquet: row \d+ .*load.* raw rows give 1\.25"),
    ("checkpoint.json", put(["costs", 0, "value"], 9.5), r"checkpoint\.json: costs.*9\.5"),
    (
        "pictures.json",
        lambda content: content.replace(b'.png": "', b'.png": "0', 1),
        r"pictures\.json: .*\.png is not the picture that was scored",
    ),
    ("cell.json", put(["attempts"], 7), r"cells\.parquet: row \d+ .* raw rows give 7"),
    ("cell.json", put(["cell", "steps"], 26), r"cell\.json: .*steps is 26"),
    ("cell.json", put(["cell", "settings", "steps"], 1), r"cell\.json: .*settings\.steps is 1"),
    ("cell.json", put(["version"], 9), r"newer textboost-bench \(cell\.json version 9"),
    ("plan.json", put(["cells", 0, "guidance_scale"], 7.6), r"plan\.json: no cell has the key"),
    (
        "config.toml",
        replaced("guidance_scale = 7.5", "guidance_scale = 7.4"),
        r"config\.toml: .*7\.4",
    ),
    (
        "config.toml",
        replaced("train_seeds = [\n    0,", "train_seeds = [\n    1,"),
        "config.toml: tr",
    ),
    (
        "statistics.json",
        put(["scores", 0, "mean"], 0.5),
        r"statistics\.json: scores\[.*\.mean is 0\.5",
    ),
    ("statistics.json", put(["costs", 0, "max"], 3.0), r"statistics\.json: costs\[.*\.max is 3\.0"),
    ("verdicts.json", put([0, "low"], 0.02), r"verdicts\.json: \[better .*\.low is 0\.02"),
    ("verdicts.json", put([1, "n"], 6), r"verdicts\.json: \[quicker .*\.n is 6"),
    ("verdicts.json", put([1, "verdict"], "SUPPORTED"), r"verdicts\.json: .*is 'SUPPORTED'"),
    ("claims/mine.toml", replaced("> 0.01", "> 0.02"), r"verdicts\.json: .*bound is '> 0\.01'"),
    ("bundle.json", put(["format"], 2), r"bundle\.json: format is 2"),
    ("config.toml", replaced("A made-up run", "Another"), r"config\.toml: title is 'Another'"),
    ("config.toml", replaced('    "dog_a",\n', ""), r"config\.toml: no subject dog_a, which cells"),
    (
        "config.toml",
        replaced('    "dog_a",\n', '    "dog_a",\n    "dog_z",\n'),
        r"config\.toml: subject dog_z has no cells",
    ),
    ("config.toml", replaced('    "on-the-beach",\n', ""), r"config\.toml: no prompt on-the-beach"),
    (
        "config.toml",
        replaced('"on-the-beach",\n', '"on-the-beach",\n    "in-the-snow",\n'),
        r"config\.toml: prompt in-the-snow is missing from cells",
    ),
    (
        "config.toml",
        replaced('name = "dreambooth"', 'name = "textual-inversion"'),
        r"config\.toml: no method dreambooth with preset toy, which cells have",
    ),
    ("plan.json", put(["resolved", "x"], {}), r"plan\.json: resolved is \{'x': \{\}\}"),
    ("plan.json", in_json(lambda plan: plan["cells"].pop()), r"plan\.json: no cell of dreambooth"),
    ("cell.json", put(["nice"], 1), r"cell\.json: nice does not belong there"),
    ("checkpoint.json", put(["environment"], "0" * 16), r"environments lack that of its training"),
    ("cell.json", put(["flags"], {"one_colour": {}}), r"its flags and environments are not those"),
    ("cell.json", put(["environments"], ["0" * 16]), r"its flags and environments are not those"),
    ("checkpoint.json", put(["nice"], 1), r"checkpoint\.json: nice does not belong there"),
    ("checkpoint.json", put(["key"], "0" * 16), r"checkpoint\.json: its key is another cell's"),
    ("checkpoint.json", put(["files"], {}), r"checkpoint\.json: it names no file"),
    ("checkpoint.json", put(["files", "x"], "0"), r"checkpoint\.json: a checksum in it is none"),
]


@pytest.mark.parametrize(
    ("file", "change", "named"), TAMPERED, ids=[f"{n}-{t[0]}" for n, t in enumerate(TAMPERED)]
)
def test_one_changed_number_is_named(whole, tmp_path, file, change, named):
    files = read_zip(whole)
    name = sorted(name for name in files if name.split("/")[-1] == file or name == file)[0]
    files[name] = change(files[name])
    if name != "bundle.json":
        assert [*checksum_differences(files)] == [f"{name}{CHANGED}"]
    lines = differences(write(tmp_path / "signed.zip", signed(files)))
    assert any(re.search(named, line) for line in lines), lines
    assert not any("SHA-256" in line for line in lines), "its checksums were made to fit"


def test_a_training_that_keeps_no_costs_of_its_own_is_named(whole, tmp_path):
    """The file and its line in bundle.json are both gone."""
    files = read_zip(whole)
    gone = sorted(name for name in files if name.endswith("/checkpoint.json"))[0]
    del files[gone]
    (line,) = differences(write(tmp_path / "gone.zip", signed(files)))
    assert line.endswith(f"{gone} is missing, and cost.json has costs of a training")


def test_steps_that_nobody_asked_for_are_named():
    """`training.steps` taken out of config.toml: the cells have other steps than their preset."""
    settings = {**preset_settings("textboost", "toy"), "steps": 3}
    cells = [cell("textboost", "dog_a", settings=settings)]
    asked = config(["dog_a"], ["textboost"], training={"steps": 3})
    assert list(choice_differences(asked, cells)) == []
    (line,) = choice_differences(config(["dog_a"], ["textboost"]), cells)
    assert line == "config.toml: textboost.steps is 3 in cells and not asked for"


def differences(path: Path, digest: str | None = None) -> list[str]:
    """The lines, also where the change is so large that nothing opens."""
    try:
        return list(check_bundle(path, digest).differences)
    except UserError as error:
        return [str(error)]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("environment.json", put(["memory_bytes"], 1)),
        ("run.json", put(["versions", "results"], 2)),
    ],
)
def test_what_only_the_digest_can_tell(whole, tmp_path, name, change):
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    files = read_zip(whole)
    files[name] = change(files[name])
    unsigned = write(tmp_path / "unsigned.zip", files)
    assert differences(unsigned) == [f"{name}{CHANGED}"]
    forged = write(tmp_path / "signed.zip", signed(files))
    (line,) = differences(forged, digest)
    assert line.startswith("the file's SHA-256 is ")
    assert digest in line


@pytest.mark.parametrize("name", ["scores.parquet", "plan.json", "results.parquet", "bundle.json"])
def test_a_file_that_is_gone_is_named(whole, tmp_path, name):
    files = read_zip(whole)
    gone = sorted(found for found in files if found.split("/")[-1] == name)[0]
    del files[gone]
    lines = differences(write(tmp_path / "gone.zip", files))
    assert any(gone in line for line in lines)


def test_a_shipped_claims_file_is_compared_with_ours(run, tmp_path):
    """Easier bounds under the name of a file that comes with the project do not pass."""
    pack(run, tmp_path / "forged.zip", [parse_claims(CLAIMS, "textboost-v1")])
    lines = differences(tmp_path / "forged.zip")
    assert "claims/textboost-v1.toml is not the file of that name in this installation" in lines


def test_many_differences_are_cut_short(whole, tmp_path):
    files = read_zip(whole)
    frame = pd.read_parquet(io.BytesIO(files["results.parquet"]))
    frame["value"] += 1
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    files["results.parquet"] = content.getvalue()
    lines = differences(write(tmp_path / "all.zip", signed(files)))
    assert len(lines) == 41
    assert lines[-1].startswith("and ")


def test_what_is_no_archive_is_said_in_one_line(whole, tmp_path):
    content = bytearray(whole.read_bytes())
    place = content.index(b"cells.parquet") + 200
    content[place] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(content)
    (tmp_path / "half.zip").write_bytes(content[: len(content) // 2])
    for name in ("bad.zip", "half.zip"):
        with pytest.raises(UserError, match=f"{name} is no whole zip archive"):
            read_zip(tmp_path / name)


def test_a_run_without_results_has_no_evidence(tmp_path):
    cells = [planned("textboost", "dog_a")]
    run = make_run(tmp_path / "empty", cells, pending=[("textboost", "dog_a")])
    with pytest.raises(UserError, match="no cell is done"):
        pack(run, tmp_path / "out.zip", [])


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


def test_two_claims_files_of_one_name_are_refused(run, tmp_path):
    files = [parse_claims(CLAIMS, name) for name in ("a/mine.toml", "b/mine.toml")]
    with pytest.raises(UserError, match="two claims files are called 'mine'"):
        pack(run, tmp_path / "out.zip", files)


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
