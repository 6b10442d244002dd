"""The JSON Schema accepts what the harness accepts, and the reference page is up to date."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from benchmark.config import Part, ready_runs
from benchmark.config_schema import json_schema, reference_page

ROOT = Path(__file__).resolve().parents[2]
SMALL = 'name = "a"\ntitle = "A"\n\n[[methods]]\nname = "textboost"\n'


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def wrong(validator: Draft202012Validator, text: str) -> list[str]:
    return [str(error.json_path) for error in validator.iter_errors(tomllib.loads(text))]


@pytest.mark.parametrize("name", ready_runs())
def test_ready_runs_are_as_the_schema_says(validator: Draft202012Validator, name: str) -> None:
    text = (ROOT / "benchmark" / "configs" / f"{name}.toml").read_text("utf-8")
    assert wrong(validator, text) == []


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('preset = "papper"', "$.methods[0].preset"),
        ("settings.no_such = 1", "$.methods[0].settings"),
        ('settings.steps = "many"', "$.methods[0].settings.steps"),
        ("[training]\nsteps = 0", "$.training.steps"),
        ('[training]\nprecision = "fp8"', "$.training.precision"),
        ('[generation]\nsampler = "euler"', "$.generation.sampler"),
        ("[generation]\nseed = [1]", "$.generation"),
        ('[scoring]\nmetrics = "fidelity"', "$.scoring.metrics"),
    ],
)
def test_mistakes_are_marked_where_they_are(
    validator: Draft202012Validator, line: str, place: str
) -> None:
    assert place in wrong(validator, f"{SMALL}{line}\n")


@pytest.mark.parametrize(
    "line", ['subjects = "all"', 'subjects = ["dog"]', 'backbone = "someone/a-model"']
)
def test_what_is_open_stays_open(validator: Draft202012Validator, line: str) -> None:
    assert wrong(validator, f"{line}\n{SMALL}") == []
    assert wrong(validator, f'subjects = "some"\n{SMALL}') == ["$.subjects"]


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in (("run", schema), *schema["$defs"].items()):
        yield from ((f"{name}.{key}", field) for key, field in table["properties"].items())


def test_every_key_is_described(validator: Draft202012Validator) -> None:
    found = dict(fields(dict(validator.schema)))
    parts: list[type[BaseModel]] = Part.__subclasses__()
    assert len(found) == sum(len(part.model_fields) for part in parts)
    own = {key: field for key, field in found.items() if "$ref" not in field}
    assert [key for key, field in own.items() if len(field.get("description", "")) < 15] == []


def test_the_reference_page_is_what_the_command_writes() -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    assert page == reference_page(), "tbbench schema --markdown > docs/reference/configuration.md"


def test_the_command_prints_the_schema() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.cli", "schema"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(done.stdout) == json_schema()
