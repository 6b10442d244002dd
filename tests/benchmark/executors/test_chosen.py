import sys

import pytest

from benchmark.config import Execution
from benchmark.errors import UserError
from benchmark.executors import local
from benchmark.executors.chosen import choose_executor


def test_this_machine_is_the_default():
    chosen = choose_executor(Execution(device="cpu", workers=3))
    assert chosen.run_jobs is local.run_jobs
    assert chosen.devices == ["cpu"] * 3
    chosen.close()


def test_an_address_without_ray_is_a_mistake():
    with pytest.raises(UserError, match=r"execution\.address is for Ray; add --executor ray"):
        choose_executor(Execution(device="cpu", address="head:6379"))


def test_no_cluster_is_needed_where_nothing_is_left_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    execution = Execution(executor="ray", device="cpu")
    assert choose_executor(execution, idle=True).devices == []
    with pytest.raises(UserError, match=r"pip install 'textboost-bench\[ray\]'"):
        choose_executor(execution)


def test_a_cluster_that_is_not_there_is_told_before_any_work():
    with pytest.raises(UserError, match=r"no Ray cluster at 127\.0\.0\.1:1: "):
        choose_executor(Execution(executor="ray", device="cpu", address="127.0.0.1:1"))
