"""The two versions of the code that are compared, as copies that lie side by side.

Both are copies, in folders whose paths are equally long, so that neither's place matters and
nothing that is edited meanwhile gets in. The suite and what counts bytes are those of the newer
tree in both: the same cases are asked of either version, also of one that is older than the gate.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from benchmark.errors import UserError
from benchmark.paths import data_root

PACKAGES = ("benchmark", "methods", "textboost", "reports")
INSTRUMENTS = ("benchmark/perf", "benchmark/estimate/__init__.py", "benchmark/estimate/live.py")


def running_tree() -> Path:
    """The folder that holds the packages this process runs."""
    return Path(__file__).resolve().parent.parent.parent


def copy_running(target: Path) -> None:
    """The packages of this process and their data, into the new folder `target`."""
    copy_checkout(running_tree(), target)
    if not (target / "benchmark" / "datasets").is_dir() and not (target / "datasets").is_dir():
        shutil.copytree(data_root(), target / "datasets")


def copy_checkout(source: Path, target: Path) -> None:
    """The packages and data of a clone. UserError when the folder is none."""
    missing = [name for name in PACKAGES if not (source / name).is_dir()]
    if missing:
        raise UserError(
            f"{source} is no clone of this project (no folder {missing[0]}); give a clone's folder "
            "or a commit"
        )
    for name in (*PACKAGES, "datasets"):
        if (source / name).is_dir():
            shutil.copytree(
                source / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
            )


def copy_commit(commit: str, clone: Path, target: Path) -> str:
    """The files of a commit of the git clone; returns the full commit.

    UserError when git or the clone is missing or the clone has no such commit.
    """
    found = git(
        clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"
    )
    if found.returncode != 0:
        raise UserError(
            f"--against {commit!r} is neither a folder nor a commit of {clone}; name a commit, a "
            "branch that has been fetched (git fetch origin main), or a clone's folder"
        )
    full = found.stdout.decode().strip()
    packed = git(clone, "archive", "--format=tar", full)
    if packed.returncode != 0:
        raise UserError(f"git archive {full} failed: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(target, filter="data")
    return full


def git(clone: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """git's result in the clone. UserError when there is no git."""
    try:
        return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True)
    except FileNotFoundError as error:
        raise UserError(
            "git is not installed, and --against with a commit needs it; install git or give the "
            "folder of a clone"
        ) from error


def own_cases(tree: Path) -> list[str] | None:
    """Names of the cases in a tree's own suite: none where the tree is older than the gate.

    None when there is a suite that does not load. To be asked before another suite is lent.
    """
    if not (tree / "benchmark" / "perf" / "suite.py").is_file():
        return []
    names = "import json; from benchmark.perf.suite import CASES; print(json.dumps(list(CASES)))"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    asked = subprocess.run(
        [sys.executable, "-c", names],
        cwd=tree,
        env=inherited | {"PYTHONPATH": str(tree)},
        capture_output=True,
    )
    if asked.returncode != 0:
        return None
    found: list[str] = json.loads(asked.stdout)
    return found


def lend_instruments(newer: Path, older: Path) -> None:
    """Puts the newer tree's suite in the place of the older one's."""
    for name in INSTRUMENTS:
        source, target = newer / name, older / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
