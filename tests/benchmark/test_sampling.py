import time
from collections.abc import Callable, Mapping
from itertools import count

import pytest

from benchmark import sampling
from benchmark.sampling import MOST_OF_TIME, SAMPLING_SECONDS, Sampler


def sampled(values: list[Mapping[str, int | None]]) -> dict[str, int]:
    """The peaks of a sampler that sees these values, one per look."""
    at = count()
    sampler = Sampler(lambda: values[min(next(at), len(values) - 1)])
    sampler.start()
    until(lambda: sampler.looks >= len(values))
    return sampler.stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the thread does not look"
        time.sleep(0.001)


def test_the_highest_of_all_looks_is_the_peak() -> None:
    assert sampled([{"a": 1, "b": 9}, {"a": 5, "b": 2}, {"a": 3}]) == {"a": 5, "b": 9}


def test_a_measure_that_once_could_not_be_read_has_no_peak() -> None:
    assert sampled([{"a": 1, "b": 1}, {"a": None, "b": 2}, {"a": 7, "b": 1}]) == {"b": 2}


def test_edges_are_looked_at_however_short_the_stage() -> None:
    values = iter([{"a": 1}, {"a": 2}])
    sampler = Sampler(lambda: next(values))
    sampler.start()
    assert sampler.stop() == {"a": 2}
    assert sampler.looks == 2


def test_slow_looks_come_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread's own clock says that every look takes 1 s: it may then look again in 500 s."""
    ticks = count(1.0, 1.0)
    pauses: list[float] = []

    class Stop:
        """An event that is set after the third pause, without waiting."""

        def wait(self, seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) == 4

        def set(self) -> None: ...

    monkeypatch.setattr(sampling.time, "thread_time", lambda: next(ticks))
    sampler = Sampler(lambda: {})
    sampler._stop = Stop()  # type: ignore[assignment]
    sampler.start()
    sampler.stop()
    assert MOST_OF_TIME == 0.002
    assert pauses == [SAMPLING_SECONDS, 500, 500, 500]
    assert sampler.seconds == 3.0


def test_what_a_look_raises_is_not_lost() -> None:
    at = count()

    def look() -> dict[str, int | None]:
        if next(at) == 1:
            raise OSError("broken")
        return {}

    sampler = Sampler(look)
    sampler.start()
    until(lambda: sampler.looks >= 2)
    with pytest.raises(OSError, match="broken"):
        sampler.stop()


def test_its_cost_is_the_threads_own_time() -> None:
    def look() -> dict[str, int | None]:
        begin = time.thread_time()
        while time.thread_time() - begin < 0.01:
            pass
        return {}

    sampler = Sampler(look)
    sampler.start()
    until(lambda: sampler.looks >= 2)
    sampler.stop()
    in_thread = sampler.looks - 2
    assert in_thread * 0.01 <= sampler.seconds < in_thread * 0.02
