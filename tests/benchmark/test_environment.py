"""What is written down of the machine, by the parent and by a worker."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmark.atomic import read_json, read_record, write_json
from benchmark.environment import VARIABLES, cores, environment, identity, machine
from benchmark.environment_record import (
    LOST,
    OTHERS,
    put_on_record,
    record_environment,
    record_loss,
    recorded_environment,
    used,
)
from benchmark.environment_words import in_words, machines, made_by, software
from benchmark.records import write_sealed
from benchmark.torch_environment import attention_backend, record_worker, torch_environment


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    facts = environment("cuda:0", 3, 2)
    assert facts["variables"] == {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    assert facts["memory_bytes"] == psutil.virtual_memory().total
    assert facts["cores"] == cores()
    assert facts["packages"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    given = [facts[name] for name in ("device", "threads_per_cell", "cells_at_a_time")]
    assert given == ["cuda:0", 3, 2]


def test_versions_of_this_project_are_named_where_all_are_known() -> None:
    def by(version: str | None, **more: object) -> dict[str, object]:
        return {"packages": {"textboost-bench": version}, "worker": {}, **more}

    assert made_by(by("0.1.0")) == "0.1.0"
    assert made_by(by("0.2.0", other_environments=[by("0.1.0")])) == "0.1.0 and 0.2.0"
    assert made_by(by("0.2.0", other_environments=[by(None)])) is None
    assert made_by(by("0.2.0", earlier_not_known=True)) is None
    assert made_by({}) is None


def test_the_parent_needs_no_torch() -> None:
    code = (
        "import sys\nfrom benchmark.environment import environment\n"
        "environment('cpu', 1, 1)\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_kernel_is_the_one_that_attention_takes() -> None:
    """Torch is told what to take, and the answer follows."""
    with sdpa_kernel(SDPBackend.MATH):
        assert attention_backend("cpu", "fp32") == "MATH"
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        assert attention_backend("cpu", "bf16") == "FLASH_ATTENTION"
    assert attention_backend("no-such-device", "fp32") is None


def test_switches_are_read_and_not_assumed() -> None:
    def switches() -> tuple[bool, bool, bool, str]:
        facts = torch_environment("cpu")
        return (
            facts["determinism"]["deterministic_algorithms"],
            facts["determinism"]["cudnn_benchmark"],
            facts["precision"]["tf32_cudnn"],
            facts["precision"]["float32_matmul"],
        )

    before = switches()
    kept = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    matmul = torch.get_float32_matmul_precision()
    try:
        torch.use_deterministic_algorithms(not before[0])
        torch.backends.cudnn.benchmark = not before[1]
        torch.backends.cudnn.allow_tf32 = not before[2]
        torch.set_float32_matmul_precision("high")
        assert switches() == (not before[0], not before[1], not before[2], "high")
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = kept
        torch.set_float32_matmul_precision(matmul)
    assert switches() == before


def test_the_first_worker_writes_and_the_others_do_not(tmp_path: Path) -> None:
    here = environment("cpu", 3, 1)
    record_worker(tmp_path, here)
    assert not (tmp_path / "environment.json").exists()  # no run, nothing to add to
    write_json(tmp_path / "environment.json", here)
    record_worker(tmp_path, here)
    first = read_json(tmp_path / "environment.json")
    assert first["threads_per_cell"] == 3
    assert OTHERS not in first
    assert first["worker"]["threads"] == torch.get_num_threads()
    write_json(tmp_path / "environment.json", {**first, "worker": {"device": "cuda:7"}})
    record_worker(tmp_path, here)
    assert read_json(tmp_path / "environment.json")["worker"] == {"device": "cuda:7"}


def test_a_worker_on_another_machine_puts_that_machine_on_record(tmp_path: Path) -> None:
    """Such as a node of a cluster: what it measured must not seem to be of where the run began."""
    began = environment("cuda", 1, 2, deterministic=True) | {"processor": "of the head"}
    write_json(tmp_path / "environment.json", began)
    told = f"{in_words(began)}, 1 thread a cell"
    assert machines(began) == [told]
    here = environment("cpu", 1, 2, deterministic=True)
    assert put_on_record(tmp_path, here) == identity(here)
    assert read_json(tmp_path / "environment.json")[OTHERS] == [here]
    record_worker(tmp_path, here)
    record_worker(tmp_path, here)
    known = read_json(tmp_path / "environment.json")
    assert {name: known[name] for name in began} == began
    (node,) = known[OTHERS]
    assert node["processor"] == environment("cpu", 1, 1)["processor"]
    assert (node["threads_per_cell"], node["determinism"]) == (1, began["determinism"])
    assert node["worker"]["threads"] == torch.get_num_threads()
    # No cell was done where the run began, so that all costs come from one machine still.
    (there,) = machines(known)
    assert there.startswith(in_words(node))
    assert machines({**known, "worker": {}}) == [told, there]


def test_code_that_was_edited_while_the_run_goes_on_is_put_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker imports much of it only when it comes to need it."""
    record_environment(tmp_path, environment("cpu", 1, 1))
    file = tmp_path / "environment.json"
    before = read_record(file)["code"]
    monkeypatch.setattr("benchmark.environment.code_digest", lambda: "0" * 16)
    # Nobody knows what the first cell had loaded by then: both are told.
    record_worker(tmp_path, environment("cpu", 1, 1))
    told = software(read_record(file))
    assert [one.split(" (")[0] for one in told] == [f"code {before}", f"code {'0' * 16}"]
    assert len(machines(read_record(file))) == 1
    monkeypatch.setattr("benchmark.environment.package_version", lambda name: "9")
    record_worker(tmp_path, environment("cpu", 1, 1))
    record_worker(tmp_path, environment("cpu", 1, 1))
    assert len(software(read_record(file))) == 3


def test_only_what_cells_were_worked_on_under_counts_and_what_they_name_must_be_there() -> None:
    """As after a backup that was laid over a newer run: its environment.json knows too little."""
    began, slow, newer = (
        environment("cpu", threads, 1) | {"code": code}
        for threads, code in ((1, "a"), (2, "a"), (1, "b"))
    )
    whole = {**began, OTHERS: [slow, newer]}
    names = [identity(one) for one in (began, slow, newer)]
    assert len({*names}) == 3
    assert len(machines(used(whole, [[names[0]], [names[0]]]))) == 1
    assert len(software(used(whole, [[names[0]], [names[1]]]))) == 1
    assert len(machines(used(whole, [[names[0]], [names[1]]]))) == 2
    assert len(software(used(whole, [[names[0], names[2]]]))) == 2
    # Cells of an earlier version do not say: they may have been done under any.
    assert used(whole, [[names[0]], []]) == used(whole, []) == whole
    lacking = used(began, [[names[0]], [names[1]]])
    assert lacking[LOST]
    assert len(machines(lacking)) == 2
    assert identity(began | {"variables": {"OMP_NUM_THREADS": "1"}}) == names[0]
    assert identity(began | {"variables": {"ATEN_CPU_CAPABILITY": "default"}}) != names[0]


def test_an_altered_record_is_not_sealed_as_right(tmp_path: Path) -> None:
    """Neither by the next run nor by a worker: it stays known that something is not known."""
    file = tmp_path / "environment.json"
    record_environment(tmp_path, environment("cpu", 1, 1))
    file.write_text(file.read_text().replace('"cores": ', '"cores": 9'))
    altered = file.read_bytes()
    record_worker(tmp_path, environment("cpu", 1, 1))
    assert file.read_bytes() == altered
    record_environment(tmp_path, environment("cpu", 1, 1))
    record_worker(tmp_path, environment("cpu", 1, 1))
    known = read_json(file)
    assert known["cores"] == environment("cpu", 1, 1)["cores"]
    assert OTHERS not in known
    assert len(machines(known)) == 2  # whatever it was: costs are not compared
    (tmp_path / "cells" / ("0" * 16)).mkdir(parents=True)
    file.unlink()
    assert recorded_environment(tmp_path) == {}
    (tmp_path / "cells" / ("0" * 16) / "cell.json").write_text("{}")
    assert recorded_environment(tmp_path) == {LOST: True}
    record_loss(tmp_path)  # as a finished run does when it is given again
    assert read_record(file) == {LOST: True}


def test_cells_with_other_threads_are_on_another_machine() -> None:
    one = environment("cpu", 1, 2) | {"worker": {}}
    assert len(machines(one | {OTHERS: [one | {"threads_per_cell": 2}]})) == 2
    assert len(machines(one | {OTHERS: [one | {"packages": {}}]})) == 1


def test_cells_with_other_batches_are_on_another_machine() -> None:
    """Times and memory follow the batch, which no cell's key has."""
    wide, narrow = (
        environment("cpu", 1, 1, batches={"generating": size, "scoring": 32}) | {"worker": {}}
        for size in (8, 1)
    )
    assert [one.partition("a time, ")[2] for one in machines(wide | {OTHERS: [narrow]})] == [
        "8 pictures at once in generating, 32 pictures at once in scoring",
        "1 picture at once in generating, 32 pictures at once in scoring",
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_that_a_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert cores() <= len(before)


def test_code_and_packages_that_differ_are_told() -> None:
    """A cell's key knows its method and metrics alone."""
    one = environment("cpu", 1, 1) | {"worker": {}, "git_commit": None}
    assert software(one) == [""]
    assert len(software(one | {OTHERS: [one | {"cores": 99}]})) == 1
    edited = one | {"code": "0" * 16, "git_commit": "f" * 40}
    assert software(one | {OTHERS: [edited]}) == [
        f"code {one['code']}",
        f"code {'0' * 16} (commit {'f' * 12})",
    ]
    older = one | {"packages": one["packages"] | {"torch": "2.1"}}
    torch_now = one["packages"]["torch"]
    assert software(one | {OTHERS: [older]}) == [f"torch {torch_now}", "torch 2.1"]
    assert software({}) == []
    loose = environment("cpu", 1, 1) | {"worker": {}}
    strict = environment("cpu", 1, 1, deterministic=True) | {"worker": {}}
    assert software(loose | {OTHERS: [strict]}) == [
        "kernels: as torch chooses",
        "kernels: deterministic ones only",
    ]
    narrow = loose | {"variables": {"ATEN_CPU_CAPABILITY": "default"}}
    assert software(loose | {"variables": {}}, narrow) == [
        "no ATEN_CPU_CAPABILITY",
        "ATEN_CPU_CAPABILITY=default",
    ]


def test_cells_that_shared_a_processor_with_others_are_on_another_machine(tmp_path: Path) -> None:
    for workers in (1, 2):
        record_environment(tmp_path, environment("cpu", 1, workers))
        record_worker(tmp_path, environment("cpu", 1, workers))
    alone, shared = sorted(machines(read_json(tmp_path / "environment.json")))
    assert alone.endswith(", 1 thread a cell, 1 cell at a time")
    assert shared.endswith(", 1 thread a cell, 2 cells at a time")
    card = environment("cuda:0", 1, 1) | {"worker": {}, "gpus": [{"name": "H100"}]}
    assert len(machines(card | {OTHERS: [card | {"cells_at_a_time": 2}]})) == 1


def test_cards_of_different_kinds_in_one_machine_are_machines_apart() -> None:
    cards = [{"name": "A100"}, {"name": "H100"}]
    two = environment("cuda:0", 1, 2) | {"gpus": cards, "processor": "cpu", "cores": 8}
    two.pop("threads_per_cell")
    assert machines(two) == ["cuda, A100, cpu, 8 cores", "cuda, H100, cpu, 8 cores"]
    assert len(machines(two | {"cells_at_a_time": 1})) == 1
    assert len(machines(two | {"gpus": cards[:1] * 2})) == 1
    assert machines({}) == []


def test_what_earlier_cells_ran_with_stays_on_record(tmp_path: Path) -> None:
    """Cells done before an update must not seem to come from after it."""
    file = tmp_path / "environment.json"
    card = {"name": "H100", "sm_clock_mhz": 345}
    old = environment("cuda:0", 1, 1) | {"packages": {"torch": "2.1"}, "gpus": [card]}
    record_environment(tmp_path, old)
    write_sealed(file, {**read_record(file), "worker": {"cudnn": 1}})
    # The same again, only the card's clock is another one: nothing new, and nothing lost.
    same = old | {"gpus": [card | {"sm_clock_mhz": 1980}]}
    record_environment(tmp_path, same)
    kept = read_json(file)
    assert OTHERS not in kept
    assert kept["worker"] == {"cudnn": 1}
    for changed in (
        {"packages": {"torch": "2.2"}},
        {"determinism": environment("cuda:0", 1, 1, deterministic=True)["determinism"]},
        {"variables": {"NVIDIA_TF32_OVERRIDE": "0"}},
    ):
        record_environment(tmp_path, old | changed)
        now = read_json(file)
        assert {name: now[name] for name in changed} == changed
        assert "worker" not in now  # the next worker says what holds for it
        before = [one for one in now[OTHERS] if one.get("worker") == {"cudnn": 1}]
        assert [one["packages"] for one in before] == [{"torch": "2.1"}]
        assert {machine(one) for one in [now, *now[OTHERS]]} == {machine(old)}
