"""The wheel carries the data and works without the clone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_the_data_lies_inside_the_harness(wheel: Path) -> None:
    files = [path for path in (ROOT / "datasets").rglob("*") if path.is_file()]
    expected = {f"benchmark/{path.relative_to(ROOT).as_posix()}" for path in files}
    with zipfile.ZipFile(wheel) as members:
        assert expected <= set(members.namelist())


def test_it_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as members:
        names = members.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"benchmark", "methods", "textboost", "reports"}
    assert "benchmark/configs/quickstart.toml" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_finds_its_data_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as members:
        members.extractall(installed)
    code = (
        "from benchmark.paths import data_root; from benchmark.subjects import open_dataset; "
        "print(data_root(), len(open_dataset('dreambench').split('n1')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=empty,
        env={"PYTHONPATH": str(installed), "HOME": str(empty), "USERPROFILE": str(empty)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(installed / "benchmark" / "datasets"), "30"]
