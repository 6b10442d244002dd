"""Every kind of file of a finished run, cut, flipped, emptied and removed: `tbbench check --repair`
and the same run again make it what it was."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.config import RunConfig
from benchmark.integrity import check_run
from benchmark.quarantine import repair
from benchmark.runner import run_benchmark
from benchmark.store import Run
from tests.bad_inputs.damage import DAMAGE
from tests.faults.bench import harmed_config, lost, outcome

pytestmark = [pytest.mark.slow, pytest.mark.long]

KINDS = (
    *("plan.json", "config.toml", "run.json", "environment.json"),
    *("results.parquet", "costs.parquet", "cells.parquet"),
    *("CELL/cell.json", "CELL/scores.parquet", "CELL/cost.json", "CELL/losses.json"),
    *("CELL/checkpoint.json", "CELL/generate.json", "CELL/checkpoint/*.safetensors"),
    *("CELL/images/*.png", "photos/*/seen-*.png"),
)
WAYS: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    **{name: DAMAGE[name] for name in ("empty", "half", "flipped in the middle")},
}


@pytest.fixture(scope="module")
def config(tiny_backbone: Path) -> RunConfig:
    return harmed_config(
        tiny_backbone,
        subjects=["spotted_dog"],
        train_seeds=[0],
        methods=[{"name": "base"}, {"name": "textual-inversion", "preset": "toy"}],
    )


@pytest.fixture(scope="module")
def whole(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(config, folder)
    return folder


def run(config: RunConfig, folder: Path) -> None:
    made = run_benchmark(config, folder, Console(file=io.StringIO()))
    assert not made.failures, made.failures


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_found_and_mended(
    kind: str,
    config: RunConfig,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str], None],
) -> None:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    expected = outcome(whole)
    (trained,) = [c for c in Run.open(whole).planned if c.method == "textual-inversion"]
    survived = 0
    for how, damage in WAYS.items():
        folder = Path(shutil.copytree(whole, tmp_path / how))
        file = sorted(folder.glob(kind.replace("CELL", f"cells/{trained.key}")))[0]
        content = damage(file.read_bytes())
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        checked = check_run(folder)
        if (kind, how) == ("CELL/cell.json", "missing"):
            assert checked.cells[trained.key] == "pending"  # as a cell that never came so far
        else:
            assert checked.findings, f"{kind}, {how}: nothing was found"
        repair(folder, checked)
        run(config, folder)
        assert lost(expected, outcome(folder)) == [], f"{kind}, {how}"
        # What the cells ran on is written by those who ran them: nobody can say it afterwards.
        left = {finding.file for finding in check_run(folder).findings}
        assert left == ({kind} if kind == "environment.json" else set())
        survived += 1
    tell(f"{kind}: {survived} injected, {survived} survived, 0 lost")
