"""Copies of two versions of the code."""

import subprocess

import pytest

from benchmark.errors import UserError
from benchmark.perf import trees
from benchmark.perf.session import Request, commit_info, run
from benchmark.perf.suite import CASES


@pytest.fixture
def clone(tmp_path):
    """A git clone with two commits, the second of which changes a method."""
    folder = tmp_path / "clone"
    for name in trees.PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("first")
    git("init", "-q", "-b", "main", cwd=folder)
    commit(folder)
    (folder / "methods" / "__init__.py").write_text("second")
    commit(folder)
    return folder


def git(*arguments, cwd):
    names = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    made = subprocess.run(["git", *names, *arguments], cwd=cwd, check=True, capture_output=True)
    return made.stdout.decode().strip()


def commit(folder):
    git("add", "--all", cwd=folder)
    git("commit", "-q", "-m", "x", cwd=folder)


def test_a_commit_is_copied_as_it_was(clone, tmp_path):
    (clone / "methods" / "__init__.py").write_text("not committed")
    full = trees.copy_commit("HEAD~1", clone, tmp_path / "base")
    assert full == git("rev-parse", "HEAD~1", cwd=clone)
    assert (tmp_path / "base" / "methods" / "__init__.py").read_text() == "first"
    assert commit_info(clone, full)["id"] == full
    assert git("status", "--porcelain", cwd=clone) == "M methods/__init__.py"


def test_a_clone_is_copied_as_it_lies_there(clone, tmp_path):
    (clone / "methods" / "__init__.py").write_text("not committed")
    (clone / "methods" / "__pycache__").mkdir()
    trees.copy_checkout(clone, tmp_path / "base")
    assert (tmp_path / "base" / "methods" / "__init__.py").read_text() == "not committed"
    assert not (tmp_path / "base" / "methods" / "__pycache__").exists()
    assert commit_info(clone) | {"id": ""} == commit_info(clone, "HEAD") | {"id": "", "dirty": True}


@pytest.mark.parametrize("name", ["nowhere", "--output=x", "HEAD:methods"])
def test_what_is_neither_folder_nor_commit_is_refused(clone, tmp_path, name):
    with pytest.raises(UserError, match="neither a folder nor a commit") as refused:
        trees.copy_commit(name, clone, tmp_path / "base")
    assert "git fetch" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_no_clone_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no clone of this project .no folder benchmark"):
        run(Request(["score"], tmp_path / "perf.json", str(tmp_path)), print)
    assert list(tmp_path.iterdir()) == []


def test_without_git_the_fix_is_named(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed"):
        trees.copy_commit("HEAD", clone, tmp_path / "base")
    assert commit_info(clone)["id"] == "unknown"


def test_the_running_code_is_copied_with_its_data(tmp_path):
    trees.copy_running(tmp_path / "code")
    assert (tmp_path / "code" / "benchmark" / "perf" / "suite.py").is_file()
    data = [tmp_path / "code" / "datasets", tmp_path / "code" / "benchmark" / "datasets"]
    assert any((folder / "toyworld" / "captions.txt").is_file() for folder in data)


def test_a_trees_own_cases_are_those_of_its_suite_before_another_is_lent(tmp_path):
    for name, content in {
        "with": 'CASES = {"plan": 1, "old case": 2}',
        "broken": "import nothing_of_this_name",
    }.items():
        folder = tmp_path / name / "benchmark" / "perf"
        folder.mkdir(parents=True)
        for package in (folder, folder.parent):
            (package / "__init__.py").write_text("")
        (folder / "suite.py").write_text(content)
    assert trees.own_cases(tmp_path / "with") == ["plan", "old case"]
    assert trees.own_cases(tmp_path / "broken") is None
    assert trees.own_cases(tmp_path) == []  # older than the gate
    assert trees.own_cases(trees.running_tree()) == list(CASES)


def test_both_trees_get_the_newer_instruments(tmp_path):
    trees.copy_running(tmp_path / "code")
    old = tmp_path / "base" / "benchmark" / "perf"
    old.mkdir(parents=True)
    (old / "gone.py").write_text("")
    trees.lend_instruments(tmp_path / "code", tmp_path / "base")
    for name in ("perf/suite.py", "estimate/live.py", "estimate/__init__.py"):
        newer, lent = (tmp_path / side / "benchmark" / name for side in ("code", "base"))
        assert newer.read_bytes() == lent.read_bytes()
    assert not (old / "gone.py").exists()
