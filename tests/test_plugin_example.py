"""The package in examples/plugin, installed where nothing of the clone is seen."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "plugin"


def build(project: Path, target: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with both wheels; it borrows their dependencies, so that no network is
    needed, from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")
    for project in (ROOT, folder / "source"):
        build(project, folder / "dist")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    wheels = [str(file) for file in sorted((folder / "dist").glob("*.whl"))]
    assert len(wheels) == 2
    install = ["-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, *install, *wheels], check=True, capture_output=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv" / "bin"


def tbbench(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(environment / "tbbench"), *arguments],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_its_method_metric_and_backbone_are_in_the_report(
    environment: Path, tmp_path: Path
) -> None:
    shutil.copy(EXAMPLE / "words.toml", tmp_path)
    done = tbbench(environment, tmp_path, "run", "words.toml", "--set", "generation.steps=8")
    assert done.returncode == 0, done.stderr
    assert "match" in done.stdout
    run = tmp_path / "runs" / "words"
    results = pd.read_parquet(run / "results.parquet")
    assert set(results["backbone"]) == {"toy-sayings"}
    assert {"base", "words"} == set(results["method"])
    best = results[results["metric"] == "best-match"]
    assert len(best) == 2 * 2 * 2 * 2 * best["encoder"].nunique()
    page = (run / "report" / "index.html").read_text("utf-8")
    assert "the toy backbone with another package" in page
    assert [name for name in ("words", "best-match") if name not in page] == []
    listed = tbbench(environment, tmp_path, "methods")
    assert "words" in listed.stdout


@pytest.mark.slow
def test_a_name_that_is_nearly_its_own_is_told(environment: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "words.toml", tmp_path)
    told = tbbench(environment, tmp_path, "run", "words.toml", "--set", 'backbone="toy-saying"')
    assert told.returncode == 2
    assert "toy-sayings" in told.stderr
