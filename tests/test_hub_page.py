"""docs/how-to/hub.md: its examples, as they stand there, export a checkpoint and read its card."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.config import load_config
from tests.benchmark.test_hf_model import OWN, keep_checkpoint
from tests.reports.made_up import cell, make_run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "hub.md"


def block(beginning: str) -> str:
    found = re.findall(r"```\w+\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    (only,) = [one for one in found if one.startswith(beginning)]
    return str(only).strip()


def test_the_examples_export_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(block("tbbench export-model"))
    subject = words[words.index("--subject") + 1]
    assert subject in load_config("quickstart").subjects
    made = cell("textboost", subject)
    run = make_run(tmp_path / "runs" / "quickstart", [cell("base", subject), made])
    keep_checkpoint(run, made)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, words[1:], catch_exceptions=False).exit_code == 0
    assert shlex.split(block("hf upload"))[-1] == words[-1]
    start, _, last = block("from huggingface_hub").rpartition("\n")
    found: dict[str, object] = {}
    exec(start, found)
    prompt, scores = eval(last, found)
    assert f"`{prompt}`" in OWN
    assert "fidelity unseen (toy-clip)" in dict(scores)
