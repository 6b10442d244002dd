"""The live view: a page that is whole at every moment and keeps up with its run."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import reports
from benchmark.store import Run, cell_folder
from reports import watch
from tests.reports.made_up import cell, cell_costs, cell_scores, draw, make_run

PATIENCE = 300
"""Seconds until a test gives up; none of them takes anything near it."""
# Whatever ran the tests in the background may have had Ctrl-C ignored.
CODE = """
import signal
from benchmark.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
REFRESH = '<meta http-equiv="refresh"'


def until(there, what):
    """Waits for `there()` to become true."""
    end = time.monotonic() + PATIENCE
    while not (found := there()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


def finish(run, made):
    """What a worker does at the end of its cell."""
    folder = cell_folder(run.path, made.key)
    folder.images.mkdir(parents=True)
    for prompt_id in made.prompts:
        for seed in made.seeds:
            draw(seed).save(folder.image(prompt_id, seed))
    scores = cell_scores(made, np.random.default_rng(0))
    scores.to_parquet(folder.path / "scores.parquet", index=False)
    (folder.path / "cost.json").write_text(json.dumps(cell_costs(made)))
    folder.finish(made)


@pytest.fixture
def going(tmp_path):
    """(run, cells) of which the first is done and two are pending."""
    cells = [cell(method, "dog_a") for method in ("base", "textboost", "dreambooth")]
    pending = {("textboost", "dog_a"), ("dreambooth", "dog_a")}
    return make_run(tmp_path / "run", cells, pending=pending), cells


@pytest.fixture
def hasty(monkeypatch):
    """No rest between pages, and this process keeps its priority."""
    monkeypatch.setattr(watch, "REST", 0.0)
    monkeypatch.setattr(watch, "lower_priority", lambda: None)


def state(path):
    """Every file below a folder but for those of reports, as bytes."""
    files = (file for file in path.rglob("*") if file.is_file() and "report" not in file.parts)
    return {file: file.read_bytes() for file in files}


def pending_on(page):
    """The number of pending cells that the page names; 0 when it names none."""
    found = re.search(r"(\d+) of 3 cells are pending", page)
    return int(found[1]) if found else 0


@pytest.mark.slow
def test_the_page_follows_the_run_and_is_whole_at_every_moment(going, hasty, tmp_path):
    run, cells = going
    out = tmp_path / "out"
    index = out / "index.html"
    read, ended, broken = [], [], []

    def write(study, refresh):
        return reports.render(study, out, refresh_seconds=refresh)

    def follow():
        ended.append(watch.watch(run.path, write, poll=0.02))

    def look():
        until(index.is_file, "the first page")
        while not ended:
            page = index.read_text(encoding="utf-8")
            time.sleep(0.02)
            if read and read[-1] == page:
                continue
            read.append(page)
            if not (page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")):
                broken.append(page)
            shown = re.findall(r"thumbnails/[0-9a-f]+\.\w+", page)
            broken.extend(name for name in shown if not (out / name).is_file())

    threads = [threading.Thread(target=target, daemon=True) for target in (follow, look)]
    for thread in threads:
        thread.start()
    before = state(run.path)
    until(lambda: read and pending_on(read[-1]) == 2, "a page with two cells pending")
    assert state(run.path) == before  # a reader leaves no trace in the run
    finish(run, cells[1])
    until(lambda: pending_on(read[-1]) == 1, "a page with one cell pending")
    assert all(REFRESH in page for page in read)
    finish(run, cells[2])
    threads[0].join(PATIENCE)
    assert ended == [index]
    threads[1].join(PATIENCE)
    assert broken == []
    last = index.read_text(encoding="utf-8")
    assert REFRESH not in last
    assert "dreambooth" in last
    assert pending_on(last) == 0


def pages(run, **options):
    """What `watch` asks to be written: (done cells, whether the page loads itself again)."""
    written = []

    def write(study, refresh):
        done = sum(info["status"] == "done" for info in study.cell_info())
        written.append((done, refresh is not None))
        return run.path / "page"

    return written, watch.watch(run.path, write, poll=0.01, **options)


def test_failed_cells_end_it_when_nobody_tries_them_again(going, hasty, monkeypatch):
    run, cells = going
    monkeypatch.setattr(watch, "SETTLED_SECONDS", 0.3)
    for made in cells[1:]:
        run.folder(made.key).fail(made, "OutOfMemoryError", "3 GB")
    written, page = pages(run)
    assert written == [(1, True), (1, False)]
    assert page == run.path / "page"


def test_a_cell_that_is_tried_again_keeps_it_going(going, hasty, monkeypatch):
    run, cells = going
    finish(run, cells[1])
    run.folder(cells[2].key).fail(cells[2], "OutOfMemoryError", "3 GB")
    monkeypatch.setattr(watch, "SETTLED_SECONDS", PATIENCE)
    threading.Timer(0.3, finish_anew, [run, cells[2]]).start()
    written, _ = pages(run)
    assert written[0] == (2, True)
    assert written[-1] == (3, False)


def finish_anew(run, made):
    run.folder(made.key).begin(made)
    time.sleep(0.1)
    finish(run, made)


def test_ctrl_c_ends_it_with_a_page_that_stands_still(going, hasty, monkeypatch):
    run, _ = going
    calls = []

    def sleep(seconds):
        calls.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", sleep)
    written, page = pages(run)
    assert written == [(1, True), (1, False)]
    assert page is not None
    assert len(calls) == 1


def test_it_rests_four_times_as_long_as_a_page_takes(going, monkeypatch):
    run, _ = going
    monkeypatch.setattr(watch, "lower_priority", lambda: None)
    clock = [0.0]
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    def write(study, refresh):
        clock[0] += 30.0
        return run.path / "page"

    monkeypatch.setattr(watch.time, "sleep", sleep)
    monkeypatch.setattr(watch.time, "monotonic", lambda: clock[0])
    watch.watch(run.path, write, poll=2.0)
    assert slept == [120.0, 2.0]


def test_a_live_page_ends_with_its_run_however_that_ends(going, hasty):
    run, _ = going
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    written, page = pages(run, beside=ended.pid)
    assert (written, page) == ([], None)


@pytest.mark.slow
def test_the_command_follows_a_run_until_ctrl_c(going):
    run, _ = going
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "report", "--watch", str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    index = run.path / "report" / "index.html"
    until(lambda: index.is_file() and REFRESH in index.read_text(), "the first page")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f"live page, until the run is done or Ctrl-C: {index}\n" in output
    assert output.endswith(f"report: {index}\n")
    assert REFRESH not in index.read_text()
    assert Run.open(run.path).folder(run.planned[0].key).done()
