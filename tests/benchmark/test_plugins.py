"""Names that installed packages take from us or from each other: refused where they are used."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark import dry_run
from benchmark.backbones import open_backbone
from benchmark.cli import app
from benchmark.config import RunConfig
from benchmark.errors import UserError
from benchmark.plan import plan
from benchmark.plugins import offers, refuse_taken, taken
from tests.installed import install

OFFERED = """
[tbbench.methods]
textual-inversion = taking:Method
twice = taking:Method

[tbbench.metrics]
diversity = taking

[tbbench.backbones]
toy = taking:toy
"""
MEND = "uninstall taking, or have its entry point called otherwise"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be imported: none of this needs it."""
    install(tmp_path / "taking", "taking", {"taking": "import no_such"}, OFFERED, monkeypatch)
    open_backbone.cache_clear()


def test_what_is_offered_is_known_with_its_package_and_nothing_is_imported() -> None:
    (one,) = [one for one in offers("method") if one.name == "twice"]
    assert (one.package, one.version, one.value) == ("taking", "1.0", "taking:Method")
    assert one.origin == "taking:Method of taking 1.0"


@pytest.mark.parametrize("ask", [plan, dry_run.shares])
def test_a_run_of_a_method_whose_name_is_taken_is_refused(
    small: Callable[..., RunConfig], ask: Callable[[RunConfig], object]
) -> None:
    said = (
        "method 'textual-inversion' is one of ours, and taking:Method of taking 1.0 takes its "
        f"name; {MEND}"
    )
    with pytest.raises(UserError) as raised:
        ask(small())
    assert str(raised.value) == said


@pytest.mark.parametrize("ask", [plan, dry_run.shares])
def test_a_run_of_a_metric_whose_name_is_taken_is_refused(
    small: Callable[..., RunConfig], ask: Callable[[RunConfig], object]
) -> None:
    scoring = {"metrics": ["diversity"], "image_encoders": ["toy-clip"]}
    config = small(methods=[{"name": "base"}], scoring=scoring)
    with pytest.raises(UserError) as raised:
        ask(config)
    said = "metric 'diversity' is one of ours, and taking of taking 1.0 takes its name"
    assert str(raised.value) == f"{said}; {MEND}"


@pytest.mark.parametrize("ask", [plan, dry_run.shares])
def test_a_run_on_a_backbone_whose_name_is_taken_is_refused(
    small: Callable[..., RunConfig], ask: Callable[[RunConfig], object]
) -> None:
    config = small(backbone="toy", methods=[{"name": "base"}])
    with pytest.raises(UserError, match="backbone 'toy' is one of ours, and taking:toy of taking"):
        ask(config)


def test_other_names_are_nothing_to_a_run(small: Callable[..., RunConfig]) -> None:
    assert len(plan(small(methods=[{"name": "base"}]))) == 1


def test_a_name_that_two_packages_offer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_taken("method", "twice")
    offered = "[tbbench.methods]\ntwice = second:Method\n"
    install(tmp_path / "second", "second", {}, offered, monkeypatch)
    with pytest.raises(UserError) as raised:
        refuse_taken("method", "twice")
    assert str(raised.value) == (
        "method 'twice' is offered twice, by second:Method of second 1.0 and taking:Method of "
        "taking 1.0; uninstall second or taking, or have its entry point called otherwise"
    )
    assert set(taken("method")) == {"textual-inversion", "twice"}


@pytest.mark.parametrize(
    ("command", "kind", "name"),
    [("metrics", "metric", "diversity"), ("backbones", "backbone", "toy")],
)
def test_a_list_is_whole_and_says_it_in_one_line(command: str, kind: str, name: str) -> None:
    shown = CliRunner().invoke(app, [command, "--json"])
    assert shown.exit_code == 0, shown.output
    assert name in [one["name"] for one in json.loads(shown.stdout)]
    (line,) = shown.stderr.splitlines()
    assert line.startswith(f"tbbench: {kind} {name!r} is one of ours, and taking")


def test_so_is_that_of_methods_beside_what_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.parameters.trainable_parameters", lambda *_: 1)
    shown = CliRunner().invoke(app, ["methods", "--json"])
    known = [one["name"] for one in json.loads(shown.stdout)["methods"]]
    assert "textual-inversion" in known
    assert shown.stderr.splitlines()[-1].startswith("tbbench: method 'textual-inversion' is one of")
    assert "method 'twice' does not load: ModuleNotFoundError" in str(shown.exception)


def test_a_method_that_cannot_be_counted_breaks_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(method: str, *_: str) -> int:
        if method == "dreambooth":
            raise RuntimeError("no such\nlayer")
        return 1

    monkeypatch.setattr("benchmark.parameters.trainable_parameters", refusing)
    shown = CliRunner().invoke(app, ["methods"])
    assert "not possible" in shown.stdout
    assert "method 'dreambooth' does not load: RuntimeError: no such layer" in str(shown.exception)
