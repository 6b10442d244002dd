import mmap
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from itertools import count

import numpy as np
import pytest

from benchmark import measure
from benchmark.measure import Cost, Stage, step_costs


class FakeDevice:
    """Remembers what it was asked, but for the looks, which come from another thread too."""

    name = "fake"

    def __init__(self, joules: list[float | None] | None = None, alone: bool = True) -> None:
        self.calls: list[str] = []
        self.looks: list[Collection[int]] = []
        self._joules = joules or [None, None]
        self._alone = alone

    def synchronise(self) -> None:
        self.calls.append("synchronise")

    def reset_peaks(self) -> None:
        self.calls.append("reset")

    def peaks(self) -> dict[str, int]:
        self.calls.append("peaks")
        return {"peak_cuda_allocated_bytes": 123}

    def look(self, processes: Collection[int]) -> Mapping[str, int | None]:
        self.looks.append(processes)
        return {"peak_device_bytes": 7}

    def joules(self) -> float | None:
        self.calls.append("joules")
        return self._joules.pop(0)

    def alone(self) -> bool:
        return self._alone


def no_thread_is_left() -> bool:
    return "sampling" not in {thread.name for thread in threading.enumerate()}


def value(stage: Stage, name: str) -> float:
    (cost,) = [cost for cost in stage.costs if cost.measure == name]
    return cost.value


def test_a_stage_whose_process_stood_still_has_no_times(
    go_on: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    device = FakeDevice(joules=[0.0, 50.0] * 2)
    ticks = count(0.0, 2.0)
    for paused in (True, False):
        with Stage("train", device, clock=lambda: next(ticks)) as stage:
            stage.pictures = 4
            stage.add("first_step_seconds", 1.0, "s")
            stage.add("steps", 3, "steps", "exact")
            if paused:
                go_on()
        times = {"first_step_seconds", "wall_seconds", "images_per_second", "energy_joules"}
        found = {cost.measure for cost in stage.costs}
        assert found & {*times, "pauses"} == ({"pauses"} if paused else times)
        assert {"steps", "images", "peak_rss_bytes", "sampling_seconds"} <= found
    assert capsys.readouterr().out.count("its times are not measured") == 1


def test_the_device_is_synchronised_at_both_edges() -> None:
    """Trap 15: time taken without synchronisation."""
    device = FakeDevice()
    with Stage("train", device):
        device.calls.append("work")
    assert device.calls == [
        *("synchronise", "reset", "joules"),
        "work",
        *("synchronise", "joules", "peaks"),
    ]


def test_a_stage_gives_its_time_and_its_peaks() -> None:
    ticks = count(10.0, 2.5)
    with Stage("train", FakeDevice(), clock=lambda: next(ticks)) as stage:
        stage.add("steps", 4, "steps", "exact")
    assert value(stage, "wall_seconds") == 2.5
    assert value(stage, "peak_cuda_allocated_bytes") == 123
    assert value(stage, "peak_device_bytes") == 7
    assert Cost("train", "steps", 4.0, "steps", "exact") in stage.costs


def test_work_done_elsewhere_counts() -> None:
    ticks = count(0.0, 1.0)
    with Stage("prepare", FakeDevice(), clock=lambda: next(ticks)) as stage:
        stage.seconds_not_here = 30.0
    assert value(stage, "wall_seconds") == 31.0


def test_the_higher_peak_of_two_attempts_counts() -> None:
    with Stage("generate", FakeDevice()) as stage:
        stage.peaks_not_here = {"peak_cuda_allocated_bytes": 500, "peak_device_bytes": 3}
    assert value(stage, "peak_cuda_allocated_bytes") == 500
    assert value(stage, "peak_device_bytes") == 7
    assert "peak_rss_bytes" not in {cost.measure for cost in stage.costs}  # read in one alone


def test_a_stage_that_fails_has_no_figures() -> None:
    stage = Stage("train", FakeDevice())
    with pytest.raises(RuntimeError, match="broken"), stage:
        raise RuntimeError("broken")
    assert stage.costs == []
    assert no_thread_is_left()


def test_a_stage_fails_with_what_the_device_ran_into() -> None:
    """CUDA tells of an error in its work when it is waited for."""

    class Broken(FakeDevice):
        def synchronise(self) -> None:
            super().synchronise()
            if len(self.calls) > 1:
                raise RuntimeError("an illegal memory access was encountered")

    stage = Stage("train", Broken())
    with pytest.raises(RuntimeError, match="illegal memory access"), stage:
        pass
    assert stage.costs == []
    assert no_thread_is_left()


def test_throughput_is_over_the_whole_stage() -> None:
    ticks = count(0.0, 2.0)
    with Stage("generate", FakeDevice(), clock=lambda: next(ticks)) as stage:
        stage.pictures = 12
        stage.seconds_not_here = 4.0
    assert value(stage, "images") == 12
    assert value(stage, "images_per_second") == 2.0


def timed(device: FakeDevice, seconds: float, elsewhere: float = 0.0) -> dict[str, float]:
    ticks = count(0.0, seconds)
    with Stage("train", device, clock=lambda: next(ticks)) as stage:
        stage.seconds_not_here = elsewhere
    return {cost.measure: cost.value for cost in stage.costs}


def test_energy_is_what_the_counter_went_up_by() -> None:
    assert timed(FakeDevice([1000.0, 1250.5]), 2.0)["energy_joules"] == 250.5


@pytest.mark.parametrize(
    ("device", "seconds", "elsewhere"),
    [
        (FakeDevice([1000.0, 1250.5]), 2.0, 3.0),  # part of the work was done at another time
        (FakeDevice([1000.0, 1250.5]), 2.0, -0.5),
        (FakeDevice([1000.0, 1250.5]), 0.5, 0.0),  # shorter than the counter can tell
        (FakeDevice([1000.0, 1250.5], alone=False), 2.0, 0.0),  # others worked on the card too
        (FakeDevice([1000.0, None]), 2.0, 0.0),
        (FakeDevice([None, 1250.5]), 2.0, 0.0),
        (FakeDevice([1000.0, 3.0]), 2.0, 0.0),  # the driver was loaded anew
    ],
)
def test_energy_of_anything_else_is_not_measured(
    device: FakeDevice, seconds: float, elsewhere: float
) -> None:
    costs = timed(device, seconds, elsewhere)
    assert "energy_joules" not in costs
    assert costs["wall_seconds"] == seconds + elsewhere


@pytest.mark.parametrize("kernel", [True, False])
def test_the_peak_of_memory_is_seen_and_forgotten(
    kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel:
        monkeypatch.setattr(measure.host_memory, "reset_peak", lambda: False)
    elif not measure.host_memory.reset_peak():
        pytest.skip("this system does not let a process reset its peak")
    size = 96 << 20

    def peak(take: bool) -> float:
        with Stage("train", FakeDevice()) as stage:
            if take:
                # Straight from the system: an allocator may have as much in hand already.
                with mmap.mmap(-1, size) as block:
                    block.write(b"x" * size)
                    wait_for_looks(stage, 2)
        return value(stage, "peak_rss_bytes")

    quiet, busy, quiet_again = peak(False), peak(True), peak(False)
    assert busy - quiet > 0.9 * size
    assert busy - quiet_again > 0.5 * size


def wait_for_looks(stage: Stage, more: int) -> None:
    """Until the thread has looked so many more times, on a busy computer too."""
    wanted = stage._sampler.looks + more
    deadline = time.monotonic() + 60
    while stage._sampler.looks < wanted:
        assert time.monotonic() < deadline, "the thread does not look"
        time.sleep(0.005)


def test_the_device_is_told_which_processes_are_ours() -> None:
    device = FakeDevice()
    with Stage("train", device) as stage:
        wait_for_looks(stage, 1)
    assert len(device.looks) == value(stage, "sampling_looks") >= 3
    assert all(os.getpid() in processes for processes in device.looks)


def test_steps_by_hand() -> None:
    """Steady steps of 1 to 21 s, in another order: the median is the 11th, the 95th percentile
    lies 0.95 x 20 = 19 places after the first, at the 20th."""
    steady = [float(n) for n in (*range(21, 10, -1), *range(1, 11))]
    costs = {cost.measure: cost.value for cost in step_costs("train", [99.0, *steady])}
    assert costs == {
        "first_step_seconds": 99.0,
        "steady_steps": 21,
        "step_seconds_median": 11.0,
        "step_seconds_p95": 20.0,
    }


def test_the_percentile_is_numpys() -> None:
    steady = np.random.default_rng(0).gamma(2.0, size=57)
    costs = {cost.measure: cost.value for cost in step_costs("train", [9.0, *steady])}
    assert costs["step_seconds_p95"] == pytest.approx(np.percentile(steady, 95), rel=1e-12)


def test_few_steps_have_no_percentile_and_one_step_is_the_first() -> None:
    costs = {cost.measure for cost in step_costs("train", [1.0] * 20)}
    assert costs == {"first_step_seconds", "steady_steps", "step_seconds_median"}
    assert [cost.measure for cost in step_costs("train", [9.0], [4])] == ["first_step_seconds"]
    assert step_costs("train", []) == []


def test_throughput_of_training_leaves_the_first_step_out() -> None:
    costs = {c.measure: c.value for c in step_costs("train", [9.0, 1.0, 3.0], [4, 4, 8])}
    assert costs["images_per_second"] == 3.0
    assert "images_per_second" not in {c.measure for c in step_costs("train", [9.0, 1.0])}
