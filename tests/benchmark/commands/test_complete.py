"""What shells are told when Tab is pressed, asked as bash asks."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.backbones import NAMED
from benchmark.claims.file import shipped_names
from benchmark.cli import app
from benchmark.commands import complete, report
from benchmark.config import EXECUTORS, TRACKERS, Training, override_keys, parse_config, ready_runs
from benchmark.disk import CONTROLS
from benchmark.encoder_sources import encoder_names, text_encoder_names
from benchmark.errors import UserError
from benchmark.estimate.question import OPTIMIZERS
from benchmark.estimate.weightless import NAMES
from benchmark.failures import RETRIES
from benchmark.metrics import metric_names
from benchmark.protocols import protocol_names
from benchmark.subjects import DATASET_NAMES, open_dataset
from methods import method_names
from tests.installed import install
from textboost.compute import ATTENTION, PRECISIONS

TRAINING = [f"training.{name}=" for name in Training.model_fields]
HEAVY = ("torch", "pandas", "numpy", "pydantic", "diffusers")


def asked(line: str) -> dict[str, str]:
    """The variables by which bash asks for the last word of a line."""
    return {
        "_TBBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }


def completed(line: str) -> list[str]:
    shown = CliRunner().invoke(app, [], prog_name="tbbench", env=asked(line))
    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.output
    return shown.stdout.split()


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("tbbench run ", ready_runs()),
        ("tbbench plan ", ready_runs()),
        ("tbbench doctor ", ready_runs()),
        ("tbbench run --backbone ", list(NAMED)),
        ("tbbench run quickstart --protocol ", protocol_names()),
        ("tbbench plan quickstart --protocol ", protocol_names()),
        ("tbbench doctor quickstart --protocol ", protocol_names()),
        ("tbbench run --executor ", EXECUTORS),
        ("tbbench run --track ", TRACKERS),
        ("tbbench run --retry ", RETRIES),
        ("tbbench run quickstart --set train", ["train_seeds=", *TRAINING]),
        ("tbbench run --device c", ["cpu", "cuda"]),
        ("tbbench score --device m", ["mps"]),
        ("tbbench score --dataset ", DATASET_NAMES),
        ("tbbench score --split ", open_dataset("dreambench").split_names()),
        ("tbbench score --dataset toyworld --split ", open_dataset("toyworld").split_names()),
        ("tbbench score --subjects ", open_dataset("dreambench").subject_names()),
        (
            "tbbench score --dataset toyworld --subjects spotted_dog,pic",
            ["spotted_dog,picnic_teapot"],
        ),
        ("tbbench score --dataset nowhere --subjects ", []),
        ("tbbench score --prompts in-the-j", ["in-the-jungle"]),
        ("tbbench score --metrics ", metric_names()),
        ("tbbench score --metrics fidelity,al", ["fidelity,alignment"]),
        ("tbbench score --metrics fidelity,fid", ["fidelity,fid"]),
        ("tbbench score --image-encoders ", encoder_names()),
        ("tbbench score --text-encoders ", text_encoder_names()),
        ("tbbench estimate --backbone ", NAMES),
        ("tbbench estimate --methods ", ["all", *(set(method_names()) - set(CONTROLS))]),
        ("tbbench estimate --methods textboost,dreambooth-", ["textboost,dreambooth-lora"]),
        ("tbbench estimate --precision ", PRECISIONS),
        ("tbbench estimate --attention ", ATTENTION),
        ("tbbench estimate --optimizer ", OPTIMIZERS),
        ("tbbench methods --on ", ["sd15", "sd21-base", "sdxl"]),
        ("tbbench report runs/a --format csv,", [f"csv,{one}" for one in report.FORMATS[1:]]),
        ("tbbench report runs/a --ab-question ", report.QUESTIONS),
        ("tbbench data fetch ", ["dreambench"]),
        ("tbbench data check ", ["dreambench"]),
        ("tbbench verify ", shipped_names()),
        ("tbbench bundle runs/a --claims ", shipped_names()),
    ],
)
def test_names_are_completed(
    line: str, known: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sorted(completed(line)) == sorted(known)


def test_a_run_is_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quick.toml").touch()
    (tmp_path / "quick.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert completed("tbbench run quick") == ["quickstart", "quick.toml"]


def test_names_of_plug_ins_are_completed_without_importing_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = (
        "[tbbench.methods]\nmine-a = offered:A\n[tbbench.metrics]\nmine-b = offered\n"
        "[tbbench.backbones]\nmine-c = offered:c\n"
    )
    install(tmp_path / "offered", "offered", {"offered": "1 / 0"}, offered, monkeypatch)
    assert completed("tbbench estimate --methods mi") == ["mine-a"]
    assert completed("tbbench score --metrics mi") == ["mine-b"]
    assert completed("tbbench run --backbone mi") == ["mine-c"]


def test_controls_are_those_that_need_no_disk() -> None:
    assert set(CONTROLS) == complete.CONTROLS


@pytest.mark.parametrize(
    "words",
    [
        'complete.runs("")',
        'complete.protocols("")',
        'complete.claims("")',
        'complete.backbones("")',
        'complete.architectures("")',
        "complete.trained()",
        "complete.metrics()",
        "complete.image_encoders()",
        'complete.subjects(typer.Context(typer.core.TyperCommand("x")), "")',
    ],
)
def test_nothing_heavy_is_imported_for_it(words: str) -> None:
    """Whoever presses Tab waits: an import of torch alone takes seconds."""
    code = (
        "import sys, typer, benchmark.cli\nfrom benchmark.commands import complete\n"
        f"assert {words}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("key", override_keys())
def test_every_key_that_set_completes_is_one_of_a_run(key: str) -> None:
    text = 'name = "a"\ntitle = "a"\n[[methods]]\nname = "base"\n'
    text += '[photos]\nfolder = "a"\nclass_noun = "dog"\n'
    with pytest.raises(UserError) as raised:
        parse_config(text, "a.toml", [f"{key}={{ no = 1 }}"])
    assert "unknown key" not in str(raised.value)
    with pytest.raises(UserError, match="unknown key"):
        parse_config(text, "a.toml", [f"{key}s_none=1"])
