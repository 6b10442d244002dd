import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.errors import UserError
from tests.benchmark.test_hf_model import made


def call(*arguments):
    return CliRunner().invoke(app, ["export-model", *map(str, arguments)], catch_exceptions=False)


def test_it_says_what_it_wrote_and_how_to_upload_it(tmp_path):
    run, out = made(tmp_path / "run"), tmp_path / "out"
    done = call(run.path, "--method", "textboost", "--subject", "dog_a", "--out", out)
    assert done.exit_code == 0
    first, *others = done.output.splitlines()
    assert first.startswith(f"{out}: textboost (toy) · dog_a · seed 0, 3 files, ")
    assert first.endswith(", 9 scores in the card")
    assert others == [f"upload it as it is: hf upload OWNER/NAME {out}"]
    assert ModelCard.load(out / "README.md").data.license == "apache-2.0"


def test_a_licence_is_asked_for_and_written_and_a_readme_that_gave_way_is_told(tmp_path):
    run, out = made(tmp_path / "run", {"README.md": "a template's"}, backbone="sd15"), tmp_path
    key = next(cell.key for cell in run.planned if cell.method == "textboost")
    asked = call(run.path, key, "--out", out / "a")
    assert asked.output.splitlines()[1:3] == [
        f"the checkpoint's own README.md is left out: {out}/a/README.md is the card",
        "the card states no licence; name one with --license",
    ]
    call(run.path, key, "--out", out / "b", "--license", "openrail")
    assert ModelCard.load(out / "b" / "README.md").data.license == "openrail"
    with pytest.raises(UserError, match="--license 'My own'"):
        call(run.path, key, "--out", out / "c", "--license", "My own")
    assert not (out / "c").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        call(tmp_path, "--out", tmp_path / "out")
