"""accelerate's variables, as its own launcher sets them."""

import pytest

from benchmark.accelerate_choice import accelerate_device
from benchmark.config import Execution
from benchmark.errors import UserError
from benchmark.executors import local
from benchmark.executors.chosen import choose_executor


@pytest.mark.parametrize(
    ("asked", "variables", "chosen"),
    [
        ("auto", {}, "auto"),
        ("auto", {"ACCELERATE_USE_CPU": "True"}, "cpu"),
        ("auto", {"ACCELERATE_USE_CPU": "false"}, "auto"),
        ("auto", {"ACCELERATE_TORCH_DEVICE": "cuda:1"}, "cuda:1"),
        ("auto", {"ACCELERATE_USE_CPU": "1", "ACCELERATE_TORCH_DEVICE": "cuda"}, "cpu"),
        ("cuda:0", {"ACCELERATE_USE_CPU": "1"}, "cuda:0"),
        ("auto", {"LOCAL_RANK": "0", "WORLD_SIZE": "1"}, "auto"),
        ("auto", {"WORLD_SIZE": "4"}, "auto"),
    ],
)
def test_what_the_variables_say(asked: str, variables: dict[str, str], chosen: str) -> None:
    assert accelerate_device(asked, variables) == chosen


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ACCELERATE_USE_CPU": "perhaps"}, "ACCELERATE_USE_CPU='perhaps'"),
        ({"ACCELERATE_TORCH_DEVICE": "xpu"}, "ACCELERATE_TORCH_DEVICE='xpu'"),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, "WORLD_SIZE=2"),
    ],
)
def test_what_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        accelerate_device("auto", variables)


def test_a_run_goes_where_accelerate_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_cuda_devices", lambda: 2)
    assert choose_executor(Execution()).devices == ["cuda:0", "cuda:1"]
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", "cuda:1")
    assert choose_executor(Execution()).devices == ["cuda:1"]
    monkeypatch.setenv("ACCELERATE_USE_CPU", "yes")
    assert choose_executor(Execution(workers=2)).devices == ["cpu", "cpu"]
