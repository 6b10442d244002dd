"""`tbbench init`: what it writes loads, is the defaults, and names every key there is."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.config import MethodEntry, RunConfig, load_config, parse_config
from benchmark.config_part import Part
from benchmark.config_photos import Photos
from benchmark.errors import UserError
from benchmark.first_config import EXAMPLES, METHOD, first_config

TEXT = first_config("mine")


def uncommented(*left_out: str) -> dict[str, Any]:
    """The configuration with every key set, but for those that do not go with the others."""
    return tomllib.loads(re.sub(rf"^#(?! |{'|'.join(left_out) or ' '})", "", TEXT, flags=re.M))


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = value[0] if key == "methods" else value
        if isinstance(inner, dict) and key != "settings":
            found |= flat(inner, f"{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def test_it_loads_and_names_nothing_but_defaults() -> None:
    smallest = f'name = "mine"\ntitle = "mine"\n[[methods]]\nname = "{METHOD["name"]}"\n'
    plain = parse_config(f'{smallest}preset = "{METHOD["preset"]}"\n', "smallest")
    assert parse_config(TEXT, "mine.toml") == plain


def test_every_key_of_every_table_is_in_it() -> None:
    tables: dict[str, type[Part]] = {"photos": Photos, "methods": MethodEntry}
    for key, field in RunConfig.model_fields.items():
        if isinstance(field.default, Part):
            tables[key] = type(field.default)
    assert {RunConfig, *tables.values()} == set(Part.__subclasses__())
    wanted = {f"{name}.{key}" for name, part in tables.items() for key in part.model_fields}
    assert set(flat(uncommented())) == wanted | (set(RunConfig.model_fields) - set(tables))


def test_comments_show_the_defaults_or_examples_that_are_taken() -> None:
    # A protocol fixes [generation] and [scoring] itself.
    table = uncommented("protocol")
    made = RunConfig.model_validate(table).model_dump()
    plain = parse_config(TEXT, "mine.toml").model_dump()
    plain["photos"] = dict.fromkeys(made["photos"])
    there = flat(plain)
    differing = {key for key, value in flat(made).items() if value != there[key]}
    assert differing == set(EXAMPLES) - {"protocol"}


def test_the_file_is_written_once_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init"])
    assert done.exit_code == 0
    assert "tbbench run my-run.toml --dry-run" in done.output
    assert load_config("my-run.toml").name == "my-run"
    Path("my-run.toml").write_text("mine\n")
    again = CliRunner().invoke(app, ["init"])
    assert isinstance(again.exception, UserError)
    assert str(again.exception).startswith("my-run.toml is there already")
    assert Path("my-run.toml").read_text() == "mine\n"


def test_a_link_to_nothing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").symlink_to(tmp_path / "elsewhere.toml")
    done = CliRunner().invoke(app, ["init", str(tmp_path / "mine.toml")])
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "elsewhere.toml").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("mine", "ends in .toml"), ("my run.toml", "it names the run's folder")]
)
def test_a_name_that_is_none_leaves_no_file(tmp_path: Path, name: str, told: str) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / name)])
    assert isinstance(done.exception, UserError)
    assert told in str(done.exception)
    assert list(tmp_path.iterdir()) == []
