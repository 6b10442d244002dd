"""The live page of a run: a process of its own that neither slows nor outlives it."""

import os
import subprocess
import sys
import time
from io import StringIO

import psutil
import pytest
from rich.console import Console

from benchmark.config import toml_text
from benchmark.live import live_page
from tests.reports.made_up import cell, make_run

pytestmark = pytest.mark.slow

PATIENCE = 300
"""Seconds until a test gives up; none of them takes anything near it."""
REFRESH = '<meta http-equiv="refresh"'


def until(there, what):
    """Waits for `there()` to become true."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def children():
    """Lists the child processes that have come since: earlier tests may have left helpers."""
    before = set(psutil.Process().children())
    return lambda: [child for child in psutil.Process().children() if child not in before]


def test_it_has_the_lowest_priority_and_ends_with_the_block(tmp_path, children):
    run = make_run(tmp_path / "run", [cell("base", "dog_a")], pending={("base", "dog_a")})
    index = run.path / "report" / "index.html"
    console = Console(file=StringIO(), width=300)
    started = []

    def work():
        with live_page(run.path, console):
            started.extend(children())
            until(lambda: index.is_file() and REFRESH in index.read_text(), "the first page")
            assert [child.nice() for child in started] == [19]
            raise ValueError("the run's own trouble")

    with pytest.raises(ValueError, match="the run's own trouble"):
        work()
    assert not started[0].is_running()
    assert console.file.getvalue() == f"live page: {index}\n"


def test_its_own_failure_is_told_and_leaves_the_run_alone(tmp_path, children):
    console = Console(file=StringIO(), width=300)
    with live_page(tmp_path / "nowhere", console):
        (child,) = children()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its end, seen by nobody else
    said = console.file.getvalue().splitlines()
    assert said[1].startswith("the live page ended early: tbbench: ")
    assert "nowhere holds no run" in said[1]


def test_a_run_with_a_live_page_ends_with_a_page_that_stands_still(small, tmp_path):
    config = small(methods=[{"name": "base"}], prompts=["in-the-jungle"])
    (tmp_path / "mine.toml").write_text(toml_text(config))
    code = "from benchmark.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "mine.toml", "--live", "--out", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "live page: run/report/index.html\n" in said
    assert "ended early" not in said
    assert said.endswith("report: run/report/index.html\n")
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert REFRESH not in page
    assert "cells are pending" not in page
    running = (one.info["cmdline"] or () for one in psutil.process_iter(["cmdline"]))
    assert not [words for words in running if "--beside" in words and str(process.pid) in words]
