"""From end to end: one method made slower and one made larger are caught, a third is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.perf.rounds import BLOCKS
from benchmark.perf.trees import copy_running, running_tree

pytestmark = [pytest.mark.slow, pytest.mark.long]

SLOW, FAT, SAME = (
    f"train/{name}/toy" for name in ("textual-inversion", "dreambooth-lora", "textboost-v2")
)

# A quarter more of the processor's time in every step, whatever a step takes here.
SLOWER = """

import dataclasses
import time

_train = TextualInversion.train


def _slower(self, pipe, task, settings):
    last = [time.thread_time()]

    def report(*step):
        begin = time.thread_time()
        while time.thread_time() - begin < 0.25 * (begin - last[0]):
            pass
        task.report(*step)
        last[0] = time.thread_time()

    return _train(self, pipe, dataclasses.replace(task, report=report), settings)


TextualInversion.train = _slower
"""
# 3.3 MB more during the training, of 53.
FATTER = """

_train = DreamBoothLoRA.train


def _fatter(self, pipe, task, settings):
    import torch

    held = torch.zeros(830_000)
    result = _train(self, pipe, task, settings)
    assert len(held)
    return result


DreamBoothLoRA.train = _fatter
"""


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_slowed_and_a_fattened_method_are_caught(tmp_path):
    code, out = tmp_path / "changed", tmp_path / "perf.json"
    copy_running(code)
    for name, addition in (("textual_inversion", SLOWER), ("dreambooth_lora", FATTER)):
        file = code / "methods" / f"{name}.py"
        file.write_text(file.read_text(encoding="utf-8") + addition, encoding="utf-8")
    # Four processes a side are enough for changes of this size.
    change(code / "benchmark" / "perf" / "rounds.py", f"BLOCKS = {BLOCKS}\n", "BLOCKS = 4\n")
    cases = [word for name in (SLOW, FAT, SAME) for word in ("--case", name)]
    command = [sys.executable, "-m", "benchmark.cli", "perf", "run", *cases]
    command += ["--against", str(running_tree()), "--out", str(out)]
    ran = subprocess.run(command, cwd=code, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr

    base = tmp_path / "perf-base.json"
    entries = tmp_path / "entries.json"
    words = ["perf", "compare", str(base), str(out), "--json", str(entries)]
    compared = CliRunner().invoke(app, words)
    print(compared.output)
    assert compared.exit_code == 1
    found = {entry["name"]: entry for entry in json.loads(entries.read_text())}
    bad = {name for name, entry in found.items() if entry["extra"].endswith("regression")}
    assert bad == {f"{SLOW} seconds", f"{FAT} peak_live_bytes"}
    assert f"Regressions: {FAT}" in compared.output or f"Regressions: {SLOW}" in compared.output
    assert found[f"{SAME} flops"]["extra"] == "+0.00% same"
    # The other way round both are improvements, and the gate is content.
    assert CliRunner().invoke(app, ["perf", "compare", str(out), str(base)]).exit_code == 0
