"""The package in examples/plugin, installed where nothing of the clone is seen."""

import json
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
@pytest.mark.long
def test_its_method_metric_and_backbone_are_in_the_report(
    environment: Path, tmp_path: Path
) -> None:
    shutil.copy(EXAMPLE / "words.toml", tmp_path)
    settings = ("generation.steps=8", "methods.new-word.steps=5", 'subjects=["spotted_dog"]')
    less = [word for setting in settings for word in ("--set", setting)]
    done = tbbench(environment, tmp_path, "run", "words.toml", *less)
    assert done.returncode == 0, done.stderr
    assert "match" in done.stdout
    run = tmp_path / "runs" / "words"
    results = pd.read_parquet(run / "results.parquet")
    assert set(results["backbone"]) == {"toy-sayings"}
    assert {"base", "words", "new-word"} == set(results["method"])
    best = results[results["metric"] == "best-match"]
    assert len(best) == 3 * 2 * 2 * best["encoder"].nunique()
    page = (run / "report" / "index.html").read_text("utf-8")
    assert "the toy backbone with another package" in page
    assert [name for name in ("words", "best-match") if name not in page] == []
    assert len([*run.glob("cells/*/checkpoint/new_word.safetensors")]) == 1


@pytest.mark.slow
@pytest.mark.long
def test_its_own_tests_pass(environment: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    command = [str(environment / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_the_doctor_finds_all_of_it_well(environment: Path, tmp_path: Path) -> None:
    found = json.loads(tbbench(environment, tmp_path, "doctor", "--json").stdout)
    offered = {one["what"]: one for one in found if one["what"].startswith("plug-in ")}
    assert {one["level"] for one in offered.values()} == {"ok"}
    assert set(offered) == {
        "plug-in method 'words'",
        "plug-in method 'new-word'",
        "plug-in metric 'best-match'",
        "plug-in backbone 'toy-sayings'",
    }
    assert "of tbbench-example 1.0, loads" in offered["plug-in method 'new-word'"]["found"]


@pytest.mark.slow
@pytest.mark.long
def test_a_name_that_is_nearly_its_own_is_told(environment: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "words.toml", tmp_path)
    told = tbbench(environment, tmp_path, "run", "words.toml", "--set", 'backbone="toy-saying"')
    assert told.returncode == 2
    assert "toy-sayings" in told.stderr
