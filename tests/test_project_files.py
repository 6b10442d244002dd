"""The files beside the code say what is so: citation, hooks, container."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read_yaml(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_the_citation_is_that_of_this_version():
    citation = read_yaml("CITATION.cff")
    # What version 1.2.0 of the format requires.
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:2409.08248"}]


def test_the_changelog_speaks_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in text
    assert PROJECT["project"]["version"] in text


def test_hooks_run_tools_that_the_test_extra_installs():
    extra = {
        re.split(r"[^\w-]", need)[0] for need in PROJECT["project"]["optional-dependencies"]["test"]
    }
    hooks = [
        hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    ]
    assert len(hooks) == 3
    for hook in hooks:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert program.removeprefix(".venv/bin/") in extra


def test_the_container_gets_all_that_the_wheel_is_made_of():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    let_in = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    needed = {
        *PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"],
        *PROJECT["project"]["license-files"],
        PROJECT["project"]["readme"],
        "pyproject.toml",
    }
    assert copied == needed == {line[1:] for line in let_in if line.startswith("!")}
    assert "USER bench" in lines
