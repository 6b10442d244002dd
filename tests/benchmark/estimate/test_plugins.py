"""What is predicted of the methods and backbones of installed packages, and what is not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark import dry_run
from benchmark.cli import app
from benchmark.config import RunConfig, parse_config
from benchmark.errors import UserError
from benchmark.estimate.ask import chosen_methods
from benchmark.estimate.prediction import predict
from benchmark.estimate.question import Question, RefusedError
from tests.installed import install

METHODS = """
from dataclasses import dataclass
from methods.interface import Method

class Control(Method):
    name = "only-words"
    summary = changes = "nothing"
    trains = False

@dataclass(frozen=True)
class Settings:
    steps: int = 2
    batch_size: int = 1

class Own(Method):
    name = "own-loop"
    summary = changes = "something"
    Settings = Settings

    def train(self, pipe, task, settings):
        {body}
"""
OFFERED = """
[tbbench.methods]
only-words = offered_methods:Control
own-loop = offered_methods:Own
broken = no_such_module:Broken

[tbbench.backbones]
their-model = no_such_module:open_model
sd15 = no_such_module:open_model
"""
LOOKS = "next(iter(pipe.unet.parameters())).sum().item()"


@pytest.fixture
def package(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = METHODS.replace("{body}", getattr(request, "param", LOOKS))
    install(tmp_path / "offered", "offered", {"offered_methods": source}, OFFERED, monkeypatch)
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))


def run_of(method: str, backbone: str) -> RunConfig:
    text = (
        f'name = "small"\ntitle = "Small"\nbackbone = "{backbone}"\n[[methods]]\nname = "{method}"'
    )
    return parse_config(text, "small")


def estimate(*words: str) -> str:
    """The one line that the command ends with."""
    told = CliRunner().invoke(app, ["estimate", *words]).exception
    assert isinstance(told, UserError)
    return str(told)


@pytest.mark.usefixtures("package")
def test_a_packages_backbone_is_not_unknown_but_cannot_be_predicted() -> None:
    told = estimate("--backbone", "their-model", "--methods", "textual-inversion")
    assert told == (
        "backbone 'their-model' cannot be predicted: what networks it has, no_such_module:"
        "open_model of offered 1.0 alone knows, and running that may download weights; give the "
        "folder of a model with the same networks"
    )
    assert estimate("--backbone", "theirmodel", "--methods", "dreambooth").startswith("unknown")
    assert "'sd15' is one of ours" in estimate("--backbone", "sd15")


@pytest.mark.usefixtures("package")
def test_a_dry_run_says_so_of_each_method() -> None:
    (share,) = dry_run.shares(run_of("textual-inversion", "their-model"))
    assert share.refusal.startswith("backbone 'their-model' cannot be predicted")


@pytest.mark.usefixtures("package")
def test_a_dry_run_of_a_method_that_is_not_to_be_had_is_one_line() -> None:
    with pytest.raises(UserError, match="method 'broken' does not load: ModuleNotFoundError"):
        dry_run.shares(run_of("broken", "toy"))
    with pytest.raises(UserError, match="unknown method 'own-lop'; did you mean 'own-loop'"):
        dry_run.shares(run_of("own-lop", "toy"))


@pytest.mark.usefixtures("package")
def test_a_packages_control_and_a_broken_method_are_told_apart() -> None:
    left_out: list[str] = []
    names = [name for name, _ in chosen_methods("all", left_out)]
    assert "own-loop" in names
    assert not {"only-words", "broken"} & set(names)
    (line,) = left_out
    assert line.startswith("method 'broken' does not load: ModuleNotFoundError")
    assert estimate("--methods", "only-words", "--backbone", "toy").endswith("nothing to predict")
    assert estimate("--methods", "broken", "--backbone", "toy") == line


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (LOOKS, "its training does not run without weights (DataDependentOutput"),
        ("return None", "own-loop does not train by the methods' common loop"),
    ],
    indirect=["package"],
)
def test_a_packages_method_that_cannot_be_followed_is_refused(
    package: None, reason: str, tiny_backbone: Path
) -> None:
    with pytest.raises(RefusedError) as raised:
        predict(Question("own-loop", backbone=str(tiny_backbone), precision="fp32"))
    assert reason in str(raised.value)
    assert "cannot be predicted" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_fault_of_our_own_is_not_hidden(
    tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmark.estimate.prediction._predict", faulty)
    with pytest.raises(KeyError, match="ours"):
        predict(Question("textual-inversion", backbone=str(tiny_backbone)))
