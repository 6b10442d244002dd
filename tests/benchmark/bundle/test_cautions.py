"""What must be known of where numbers come from goes wherever the numbers go."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.api import open_run
from benchmark.records import write_sealed
from benchmark.store import Run

SAYS = "were made with is not known"


@pytest.fixture
def unknown(run: Run, tmp_path: Path) -> Path:
    """A run whose environment.json was lost and begun anew."""
    folder = Path(shutil.copytree(run.path, tmp_path / "study"))
    file = folder / "environment.json"
    write_sealed(file, json.loads(file.read_text()) | {"earlier_not_known": True})
    return folder


def tbbench(*arguments: str | Path) -> str:
    code = "from benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_goes_with_an_export_a_bundle_and_verdicts(unknown: Path, tmp_path: Path) -> None:
    tbbench("export", unknown, "--out", tmp_path / "data")
    assert SAYS in (tmp_path / "data" / "README.md").read_text()
    bundle = tmp_path / "evidence.zip"
    assert SAYS in tbbench("bundle", unknown, "--out", bundle)
    assert SAYS in tbbench("verify", bundle)
    assert SAYS in tbbench("verify", unknown)


def test_it_is_a_warning_in_python_once(unknown: Path) -> None:
    result = open_run(unknown)
    with pytest.warns(UserWarning, match=SAYS) as told:
        result.costs  # noqa: B018
    result.table()
    assert len(told) == 1
    assert told[0].filename == __file__
