"""The workflow for pull requests: it parses, pins its actions, and what it calls exists."""

import re
import shlex
from pathlib import Path

import typer.main
import yaml

from benchmark.cli import app

WORKFLOW = Path(__file__).resolve().parent.parent / ".github" / "workflows" / "perf.yml"


def steps():
    content = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    (job,) = content["jobs"].values()
    return job["steps"]


def commands():
    """Every call of tbbench, as words."""
    lines = [line for step in steps() for line in step.get("run", "").splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("tbbench")]


def test_actions_are_pinned_and_the_checkout_has_the_history():
    used = [step for step in steps() if "uses" in step]
    assert len(used) == 5
    assert all(re.fullmatch(r"actions/[a-z/-]+@v\d+", step["uses"]) for step in used)
    assert used[0]["with"]["fetch-depth"] == 0
    assert "://" not in WORKFLOW.read_text(encoding="utf-8")


def test_it_calls_commands_and_options_that_exist():
    perf = typer.main.get_command(app).commands["perf"]
    called = commands()
    assert [words[:3] for words in called] == [
        ["tbbench", "perf", "run"],
        ["tbbench", "perf", "compare"],
        ["tbbench", "perf", "trend"],
    ]
    for words in called:
        known = {name for option in perf.commands[words[2]].params for name in option.opts}
        given = {word for word in words if word.startswith("--")}
        assert given
        assert given <= known
    assert "--against" in called[0]


def test_what_one_step_writes_the_next_one_reads():
    run, compare, trend = commands()
    out = run[run.index("--out") + 1]
    assert compare[3:5] == [out.replace(".json", "-base.json"), out]
    assert trend[3] == run[run.index("--history") + 1]
    summary = next(step["run"] for step in steps() if "GITHUB_STEP_SUMMARY" in step.get("run", ""))
    assert compare[compare.index("--markdown") + 1] in summary


def test_what_a_failed_measurement_leaves_is_compared_and_shown_all_the_same():
    """A case that fails ends the measuring with 1; the table and the JUnit file must come."""
    named = [step for step in steps() if "name" in step]
    measure = next(n for n, step in enumerate(named) if "perf run" in step.get("run", ""))
    after = named[measure + 1 :]
    assert len(after) == 5
    assert all(step["if"].startswith("always()") for step in after)
    assert named[measure + 1]["if"] == "always()"  # what is missing is for `compare` to say
    for words in ("GITHUB_STEP_SUMMARY", "perf trend"):
        step = next(step for step in after if words in step.get("run", ""))
        (file,) = re.findall(r"hashFiles\('(.+?)'\) != ''", step["if"])
        assert file in step["run"]


def test_the_history_goes_on_from_one_run_to_the_next():
    restore, save = (step for step in steps() if "cache" in step.get("uses", ""))
    history = commands()[0][commands()[0].index("--history") + 1]
    assert restore["with"]["path"] == save["with"]["path"] == history
    # A key is written once: each run has its own, and begins from the latest that there is.
    assert restore["with"]["key"] == save["with"]["key"]
    assert "github.run_id" in save["with"]["key"]
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])


def test_text_of_others_reaches_no_shell():
    """A branch's name is a stranger's words: it comes through the environment, quoted."""
    for step in steps():
        assert "${{" not in step.get("run", "")
    assert any('"$AGAINST"' in step.get("run", "") for step in steps())
