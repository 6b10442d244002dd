"""`--help` of every command, and what output looks like in a file, a pipe and a terminal."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.cli_page import commands, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
COMMANDS = dict(commands(typer.main.get_command(app)))
EXAMPLES = [
    (name, line)
    for name, command in COMMANDS.items()
    for line in (command.epilog or "").splitlines()
    if line.startswith("tbbench")
]
LISTING = [sys.executable, "-m", "benchmark.cli", "methods"]
CODES = re.compile(r"\x1b\[[0-9;]*m")
COLOURS = re.compile(r"\x1b\[[0-9;]*3[0-9]m")


def test_the_help_of_every_command_is_as_the_reference_has_it() -> None:
    told = "renew it: python -m benchmark.cli_page > docs/reference/cli.md"
    assert PAGE.read_text("utf-8") == page(), told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_help_shows_whole(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split()[1:], "--help"], env={"COLUMNS": "160"})
    assert shown.exit_code == 0
    wanted = [line for of, line in EXAMPLES if of == name] or ["tbbench run quickstart"]
    assert len(wanted) > 0
    assert [line for line in wanted if line not in CODES.sub("", shown.output)] == []
    assert name == "tbbench" or name in "\n".join(wanted)


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_examples_name_commands_and_options_that_there_are(name: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[: next((n for n, word in enumerate(words) if word in {">", "&&", "|"}), None)]
    command: Any = COMMANDS["tbbench"]
    context = typer.Context(command, info_name=words.pop(0))
    while hasattr(command, "commands"):
        assert words[0] in command.commands, name
        command = command.commands[words.pop(0)]
        context = typer.Context(command, info_name=command.name, parent=context)
    command.parse_args(context, words)  # raises for an option or a value that there is not


def listed(**environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    done = subprocess.run(
        LISTING, capture_output=True, text=True, check=True, env={**kept, **environment}
    )
    return done.stdout


@pytest.mark.slow
def test_what_goes_into_a_pipe_is_plain_and_as_wide_as_it_is() -> None:
    plain = listed()
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) > 100
    narrow = listed(COLUMNS="60")
    assert max(map(len, narrow.splitlines())) <= 60


@pytest.mark.slow
def test_colours_are_forced_and_forbidden_by_the_environment() -> None:
    assert "\x1b" in listed(FORCE_COLOR="1")
    assert not COLOURS.search(listed(FORCE_COLOR="1", NO_COLOR="1"))
