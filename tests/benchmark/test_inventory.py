"""`tbbench metrics` and `tbbench backbones`: all with their sources, those of plug-ins too."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.backbones import NAMED, hub
from benchmark.cli import app
from benchmark.errors import UserError
from benchmark.inventory import NOT_SAID, OURS, backbones, metrics, source_in
from benchmark.metrics import directions, own_metric_names

REDNESS = '''"""Redness: how red is it?

The measure of someone, arXiv 2401.00001, and again
arXiv
2401.00001.
"""
KIND = "image"
EMITS = {"[redness]": "higher"}
'''


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with a metric, one that does not load, and a backbone."""
    (tmp_path / "redness_plugin.py").write_text(REDNESS)
    (tmp_path / "broken_plugin.py").write_text("import no_such_package\n")
    about = tmp_path / "plugins-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[tbbench.metrics]\nredness = redness_plugin\nbroken = broken_plugin\n"
        "[tbbench.backbones]\nroom = no_such_package:open_room\ntoy = no_such_package:toy\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_every_metric_has_a_source_and_says_which_way_is_better() -> None:
    broken: list[str] = []
    found = {entry.name: entry for entry in metrics(broken)}
    ours = {name: found[name] for name in own_metric_names()}
    assert [name for name, one in ours.items() if one.source == NOT_SAID or one.plugin] == []
    assert [name for name, one in ours.items() if len(one.what) < 20] == []
    assert {key: way for one in found.values() for key, way in one.emits.items()} == directions()
    assert found["fidelity"].source == "arXiv 2208.12242"
    assert found["copying"].source == OURS
    assert found["lpips-diversity"].source == "arXiv 2208.12242, arXiv 1801.03924"


def test_a_text_without_a_paper_has_no_source() -> None:
    assert source_in("A measure.") == NOT_SAID


@pytest.mark.usefixtures("plugins")
def test_a_packages_metric_is_listed_and_one_that_does_not_load_is_told() -> None:
    done = CliRunner().invoke(app, ["metrics"], env={"COLUMNS": "200"})
    lines = [line.split() for line in done.output.splitlines()]
    assert ["redness", "(redness_plugin)", "Redness:", "how", "red", "is", "it?"] in lines
    assert ["[redness]", "higher", "arXiv", "2401.00001"] in lines
    assert ["kid-x1000", "lower", "arXiv", "1801.01401"] in lines
    assert isinstance(done.exception, UserError)
    assert "metric 'broken' does not load: ModuleNotFoundError" in str(done.exception)


def test_every_backbone_has_its_source_and_none_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(hub, "fetch")
    found = {entry.name: entry for entry in backbones()}
    assert set(found) >= set(NAMED)
    assert found["sd15"].source == "stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113"
    assert (found["toy"].resolution, found["blank-sdxl"].resolution) == (64, 1024)


@pytest.mark.usefixtures("plugins")
def test_a_packages_backbone_is_listed_without_importing_it() -> None:
    done = CliRunner().invoke(app, ["backbones"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    row = lines.index(["room", "an", "installed", "package's"])
    assert lines[row + 1] == ["no_such_package:open_room"]
    assert "no_such_package:toy" not in done.stdout
