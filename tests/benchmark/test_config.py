from pathlib import Path

import pytest

from benchmark.config import load_config, parse_config, ready_runs, toml_text
from benchmark.errors import UserError

MINIMAL = 'name = "mine"\ntitle = "Mine"\nmethods = [{name = "base"}, {name = "textboost"}]\n'


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.stepz=5", "unknown key 'training.stepz'; did you mean 'training.steps'?"),
        ("trainin.steps=5", "unknown key 'trainin'; did you mean 'training'?"),
        ("training.steps=many", "training.steps: expected a whole number, got 'many'"),
        ("training.steps=1.5", "training.steps: expected a whole number, got 1.5"),
        ("training.steps=0", "training.steps: expected a number above 0, got 0"),
        ("training=3", "training: expected a table, got 3"),
        ("generation.sampler=dpm", "generation.sampler: unknown sampler 'dpm'; did you mean 'dpm+"),
        ("generation.seeds=[1, 1]", "generation.seeds: 1 is listed twice; list it once"),
        ("generation.seeds=[]", "generation.seeds: expected at least one entry, got []"),
        ("generation.seeds=[-1]", "generation.seeds.0: expected 0 or more, got -1"),
        ("subjects=dog", "subjects: expected a list of names or \"all\", got 'dog'"),
        ("subjects=[3]", "subjects.0: expected text in quotes, got 3"),
        ("execution.device=gpu", "execution.device: expected auto, cpu, cuda, cuda:N or mps, got"),
        ('name="a/b"', "name: expected letters, digits"),
        ("methods.textbost.steps=3", "unknown method of this run 'textbost'; did you mean 'textb"),
        ("methods.textboost.a.b=3", "expected methods.NAME.SETTING=value"),
        ("title.x=3", "'title' is no table"),
        ("nonsense", "expected key=value"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(MINIMAL, "mine.toml", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(UserError, match=r"^mine.toml: missing key 'title'$"):
        parse_config('name = "mine"\nmethods = [{name = "base"}]', "mine.toml")


def test_broken_toml_says_where() -> None:
    with pytest.raises(UserError, match=r"mine.toml is not valid TOML: .*line 1"):
        parse_config("name = \ntitle = 3", "mine.toml")


def test_an_unknown_run_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown run 'quickstrat'; did you mean 'quickstart'"):
        load_config("quickstrat")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.toml cannot be read"):
        load_config(str(tmp_path / "absent.toml"))


def test_overrides_are_toml_or_else_text() -> None:
    config = parse_config(
        MINIMAL,
        "mine.toml",
        [
            "training.steps=50",
            "generation.guidance_scale=5",
            "backbone=toy",
            'subjects=["a", "b"]',
            "methods.textboost.steps=7",
            "methods.textboost.preset=toy",
        ],
    )
    assert config.training.steps == 50
    assert config.generation.guidance_scale == 5.0
    assert config.backbone == "toy"
    assert config.subjects == ("a", "b")
    assert config.methods[1].settings == {"steps": 7}
    assert config.methods[1].preset == "toy"
    assert config.methods[0].settings == {}


def test_all_is_the_same_as_an_empty_list() -> None:
    assert parse_config(MINIMAL, "m", ["subjects=all"]) == parse_config(MINIMAL, "m")


def test_the_resolved_text_reads_back_as_the_same_run() -> None:
    config = parse_config(MINIMAL, "m", ["methods.textboost.steps=7", "training.resolution=64"])
    assert parse_config(toml_text(config), "again") == config
    assert "batch_size = 8" in toml_text(config)  # defaults are written out


@pytest.mark.parametrize("name", ready_runs())
def test_ready_runs_are_valid_and_called_like_their_file(name: str) -> None:
    assert load_config(name).name == name


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("generation.guidance_scale=inf", "generation.guidance_scale: expected a finite number"),
        ("subjects=[]", 'subjects: the list is empty; name some, or write "all"'),
    ],
)
def test_values_that_would_mean_something_else_are_refused(override: str, line: str) -> None:
    with pytest.raises(UserError) as raised:
        load_config("quickstart", [override])
    assert line in str(raised.value)


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "photo.toml"
    file.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match="is not a TOML file: it is no UTF-8 text"):
        load_config(str(file))
