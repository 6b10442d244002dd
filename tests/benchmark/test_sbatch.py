import os
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmark.sbatch import Array, script

NASTY = 'it\'s $(touch pwned); `touch pwned` "x" && touch pwned'


def array(tmp_path: Path, **changes) -> Array:
    fields = {
        "name": "study",
        "source": "mine.toml",
        "overrides": (),
        "protocol": None,
        "out": Path("runs/study"),
        "shards": 8,
        "threads": 2,
        "gpu": True,
        "directory": tmp_path,
    }
    return Array(**(fields | changes))


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Runs a script with a `tbbench` that tells its arguments and where it runs."""
    stand_in = tmp_path / "bin" / "tbbench"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/bash\nprintf \'%s\\0\' "$PWD" "$@"\n')
    stand_in.chmod(0o755)

    def run(text: str, task: str) -> list[str]:
        file = tmp_path / "job.sh"
        file.write_text(text)
        subprocess.run(["bash", "-n", file], check=True)
        path = f"{stand_in.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", file],
            env={"PATH": path, "SLURM_ARRAY_TASK_ID": task},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split("\0")[:-1]

    return run


def test_every_task_does_its_shard_in_one_folder(tmp_path, arguments):
    text = script(array(tmp_path, protocol="dreambench"))
    assert arguments(text, "3") == [
        str(tmp_path),
        *("run", "mine.toml", "--protocol", "dreambench", "--out", "runs/study"),
        *("--workers", "1", "--shard", "3/8"),
    ]
    for line in ("--array=1-8", "--cpus-per-task=2", "--gpus-per-task=1"):
        assert f"#SBATCH {line}\n" in text
    assert "--gpus" not in script(array(tmp_path, gpu=False))


def test_nothing_in_a_name_is_run(tmp_path, arguments):
    folder = tmp_path / NASTY.replace("/", "")
    folder.mkdir()
    given = array(
        tmp_path,
        name="a b;c",
        source=NASTY,
        overrides=(f"title={NASTY}",),
        out=Path(NASTY),
        directory=folder,
    )
    told = arguments(script(given), "1")
    assert told[0] == str(folder)
    assert told[2] == NASTY
    assert told[4] == f"title={NASTY}"
    assert told[6] == str(Path(NASTY))
    assert not list(tmp_path.rglob("pwned"))
    assert "#SBATCH --job-name=tbbench-a-b-c\n" in script(given)
    assert shlex.quote(NASTY) in script(given)
