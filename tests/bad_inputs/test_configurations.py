"""Configurations: by hand and generated. UserError in one line, before anything is written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.backbones import open_backbone
from benchmark.config import Execution, RunConfig, load_config, parse_config, toml_text
from benchmark.plan import plan
from tests.bad_inputs.configurations import OVERRIDES, TEXTS
from tests.bad_inputs.refusal import refused, refused_by_command, refused_or_fine

FIXED = settings(
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
RESOLVED: dict[str, Any] = {}
"""What planning found out, kept from case to case as a run's folder keeps it."""


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_override_that_no_run_can_have(override: str) -> None:
    refused(lambda: plan(load_config("quickstart", [override]), RESOLVED))


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_configuration(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(TEXTS[name])
    refused(lambda: plan(load_config(str(file)), RESOLVED))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("name", ["YAML that asks to be executed", "open list", "Latin-1"])
def test_the_command_refuses_it_in_one_line_and_makes_no_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_bytes(TEXTS[name])
    assert "mine.toml" in refused_by_command(["run", "mine.toml"], monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    "source", ["", ".", "..", "/", "a\0b", "/dev/null", "nowhere.toml", "a" * 5000]
)
def test_a_source_that_is_no_file(source: str) -> None:
    refused(lambda: load_config(source))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["all", "toy", "base", "n1", "../x", "\0", "cpu"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = st.sampled_from(
    [
        *((name,) for name in RunConfig.model_fields),
        *(("training", name) for name in ("steps", "precision", "resolution", "accumulation")),
        *(("generation", name) for name in ("seeds", "steps", "guidance_scale", "sampler")),
        *(("scoring", name) for name in ("metrics", "image_encoders", "text_encoders")),
        *(("execution", name) for name in Execution.model_fields),
        *(("methods", 0, name) for name in ("name", "preset", "settings")),
        *(("methods", 0, "settings", name) for name in ("steps", "learning_rate", "tokens", "x")),
    ]
)


def _table() -> dict[str, Any]:
    table = load_config("quickstart").model_dump(exclude_none=True, mode="json")
    table["methods"] = [{"name": "textual-inversion", "preset": "toy", "settings": {}}]
    return table


@given(place=PLACES, value=VALUES)
@FIXED
def test_any_value_anywhere_is_taken_or_refused(place: tuple[Any, ...], value: Any) -> None:
    table = _table()
    inner: Any = table
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value

    def run() -> None:
        import tomli_w

        try:
            text = tomli_w.dumps(table)
        except (TypeError, ValueError, UnicodeError):
            return  # No TOML file can say that.
        config = parse_config(text, "mine.toml")
        assert parse_config(toml_text(config), "again") == config
        plan(config, RESOLVED)

    refused_or_fine(run)


@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
@FIXED
def test_any_text_is_refused(text: str) -> None:
    refused(lambda: parse_config(text, "mine.toml"))


@given(cut=st.integers(0, 10_000), letter=st.characters(codec="utf-8"))
@FIXED
def test_a_letter_changed_in_a_ready_run(cut: int, letter: str) -> None:
    text = toml_text(load_config("quickstart"))
    at = cut % len(text)
    changed = text[:at] + letter + text[at + 1 :]

    def run() -> None:
        config = parse_config(changed, "mine.toml")
        assert tomllib.loads(toml_text(config))
        plan(config, RESOLVED)

    refused_or_fine(run)


@pytest.fixture(autouse=True, scope="module")
def _no_other_backbones() -> Any:
    """Planning asks the hub for names that look like its ids: here there is no network to ask."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    yield
    patch.undo()
    open_backbone.cache_clear()
