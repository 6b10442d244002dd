"""Examining a bundle: a whole one is found whole, and every change is named."""

import hashlib
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from benchmark.bundle.archive import read_zip, zip_bytes
from benchmark.bundle.check import check_bundle, checksum_differences
from benchmark.bundle.choice_check import choice_differences
from benchmark.bundle.pack import pack
from benchmark.claims.file import parse_claims
from benchmark.claims.measured import preset_settings
from benchmark.errors import UserError
from tests.benchmark.bundle.conftest import CLAIMS
from tests.benchmark.bundle.forging import in_json, one_parquet_value, put, replaced, signed
from tests.reports.made_up import cell, config

CHANGED = " is not the file that was packed: another SHA-256"

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


def write(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(zip_bytes(files))
    return path


def differences(path: Path, digest: str | None = None) -> list[str]:
    """The lines, also where the change is so large that nothing opens."""
    try:
        return list(check_bundle(path, digest).differences)
    except UserError as error:
        return [str(error)]


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
