import mmap
import time
from itertools import count

import pytest

from benchmark import measure
from benchmark.measure import Cost, HostPeak, Stage, step_costs


class FakeDevice:
    name = "fake"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def synchronise(self) -> None:
        self.calls.append("synchronise")

    def reset_peaks(self) -> None:
        self.calls.append("reset")

    def peaks(self) -> dict[str, int]:
        self.calls.append("peaks")
        return {"peak_cuda_allocated_bytes": 123}


def value(stage: Stage, name: str) -> float:
    (cost,) = [cost for cost in stage.costs if cost.measure == name]
    return cost.value


def test_the_device_is_synchronised_at_both_edges() -> None:
    """Trap 15: time taken without synchronisation."""
    device = FakeDevice()
    with Stage("train", device):
        device.calls.append("work")
    assert device.calls == ["synchronise", "reset", "work", "synchronise", "peaks"]


def test_a_stage_gives_its_time_and_its_peaks() -> None:
    ticks = count(10.0, 2.5)
    with Stage("train", FakeDevice(), clock=lambda: next(ticks)) as stage:
        stage.add("steps", 4, "steps", "exact")
    assert value(stage, "wall_seconds") == 2.5
    assert value(stage, "peak_cuda_allocated_bytes") == 123
    assert Cost("train", "steps", 4.0, "steps", "exact") in stage.costs


def test_work_done_elsewhere_counts() -> None:
    ticks = count(0.0, 1.0)
    with Stage("prepare", FakeDevice(), clock=lambda: next(ticks)) as stage:
        stage.seconds_not_here = 30.0
    assert value(stage, "wall_seconds") == 31.0


def test_a_stage_that_fails_has_no_figures() -> None:
    stage = Stage("train", FakeDevice())
    with pytest.raises(RuntimeError, match="broken"), stage:
        raise RuntimeError("broken")
    assert stage.costs == []


@pytest.mark.parametrize("kernel", [True, False])
def test_the_peak_of_memory_is_seen_and_forgotten(
    kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel:
        monkeypatch.setattr(measure, "_reset_kernel_peak", lambda: False)
    elif not measure._reset_kernel_peak():
        pytest.skip("this system does not let a process reset its peak")
    size = 96 << 20

    def peak(take: bool) -> int:
        host = HostPeak()
        host.start()
        if take:
            # Straight from the system: an allocator may have as much in hand already.
            with mmap.mmap(-1, size) as block:
                block.write(b"x" * size)
                time.sleep(5 * measure.SAMPLING_SECONDS)
        return host.stop()

    quiet, busy, quiet_again = peak(False), peak(True), peak(False)
    assert busy - quiet > 0.9 * size
    assert busy - quiet_again > 0.5 * size


def test_the_first_step_is_kept_apart() -> None:
    costs = {cost.measure: cost.value for cost in step_costs("train", [9.0, 1.0, 3.0, 2.0])}
    assert costs == {"first_step_seconds": 9.0, "step_seconds_median": 2.0}
    assert [cost.measure for cost in step_costs("train", [9.0])] == ["first_step_seconds"]
    assert step_costs("train", []) == []
