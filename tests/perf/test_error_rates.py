"""How often the gate is wrong: simulated from rounds of unchanged code that were really measured.

A simulated run of the whole suite draws blocks from the recorded rounds, the same ones for all
cases, as one pair of processes does them all; which of the two is called the base is drawn as well.
Side B times 1.1 is a slowdown of 10%. Whatever the gate does is done: more blocks where it is
undecided, and the verdict of the last interval.
"""

import math

import numpy as np
import pytest

from benchmark.perf.case import COUNTERS
from benchmark.perf.compare import compare
from benchmark.perf.judge import REGRESSION, THRESHOLD, interval, paired, verdict
from benchmark.perf.rounds import BLOCKS, MOST_BLOCKS, UNITS
from benchmark.perf.stored import read
from benchmark.perf.suite import CASES
from tests.benchmark.perf.files import entry, times, write
from tests.perf import record_rounds

QUIET_RUNS = 1_000
SLOW_RUNS = 200
FEWEST_ROUNDS = 6


@pytest.fixture(scope="module")
def recorded():
    """Case -> logarithms of ratios, [rounds, pairs]."""
    rounds = record_rounds.read()["rounds"]
    assert len(rounds) >= FEWEST_ROUNDS, "record more: python -m tests.perf.record_rounds 6"
    found = {}
    for name in CASES:
        sides = np.array([one["cases"][name] for one in rounds], float)
        assert sides.shape == (len(rounds), 2, UNITS)
        assert (sides > 0).all()
        found[name] = np.log(sides[:, 1]) - np.log(sides[:, 0])
    return found


class Gate:
    """The gate's decision on drawn blocks of one case."""

    def __init__(self, ratios):
        self.medians = np.median(ratios, axis=1)

    def judged(self, drawn, signs, slower):
        """The interval over the drawn blocks, sides swapped where the sign is -1."""
        return interval(signs * self.medians[drawn] + math.log1p(slower))

    def is_regression(self, drawn, signs, slower):
        """drawn, signs: [MOST_BLOCKS], of which as many are used as the gate would measure."""
        for blocks in range(BLOCKS, MOST_BLOCKS + 1):
            found = self.judged(drawn[:blocks], signs[:blocks], slower)
            if not found.low <= THRESHOLD < found.high:
                break
        return verdict(found) == REGRESSION


def test_made_up_noise_that_is_worse_than_a_quiet_machines_is_told_from_a_slowdown():
    """Processes that differ by 3%, single units by 6% with heavy tails (Student's t, 3 degrees)."""
    random = np.random.default_rng(3)
    alarms = caught = 0
    for _ in range(SLOW_RUNS):
        level = random.normal(0, 0.03, (MOST_BLOCKS, 1))
        gate = Gate(level + random.standard_t(3, (MOST_BLOCKS, UNITS)) * 0.06 / math.sqrt(3))
        every, signs = np.arange(MOST_BLOCKS), np.ones(MOST_BLOCKS)
        alarms += gate.is_regression(every, signs, 0.0)
        caught += gate.is_regression(every, signs, 0.1)
    print(f"\nmade-up noise: {alarms} false alarms, {caught} of {SLOW_RUNS} caught")
    assert alarms <= SLOW_RUNS / 100
    assert caught >= 0.95 * SLOW_RUNS


def draw(random, rounds):
    return random.integers(0, rounds, MOST_BLOCKS), random.choice([-1.0, 1.0], MOST_BLOCKS)


def test_unchanged_code_fails_at_most_one_run_of_the_whole_suite_in_a_hundred(recorded):
    gates = [Gate(ratios) for ratios in recorded.values()]
    random = np.random.default_rng(0)
    rounds = len(next(iter(recorded.values())))
    alarms = 0
    for _ in range(QUIET_RUNS):
        drawn, signs = draw(random, rounds)
        alarms += any(gate.is_regression(drawn, signs, 0.0) for gate in gates)
    print(f"\nfalse alarms: {alarms} of {QUIET_RUNS} runs, from {rounds} rounds")
    assert alarms <= QUIET_RUNS / 100


def test_any_recorded_block_may_strike_any_case(recorded):
    """Harder: every case draws for itself, and from the blocks of all cases, the noisiest too."""
    gate = Gate(np.concatenate(list(recorded.values())))
    random = np.random.default_rng(2)
    blocks = len(gate.medians)
    tries = QUIET_RUNS * len(CASES) // 2
    alarms = sum(gate.is_regression(*draw(random, blocks), 0.0) for _ in range(tries))
    caught = sum(gate.is_regression(*draw(random, blocks), 0.1) for _ in range(SLOW_RUNS))
    print(f"\nall mixed: {alarms} alarms of {tries} cases, {caught} of {SLOW_RUNS} caught")
    assert 1 - (1 - alarms / tries) ** len(CASES) <= 0.01
    assert caught >= 0.95 * SLOW_RUNS


def test_ten_percent_slower_is_caught_in_every_case(recorded):
    random = np.random.default_rng(1)
    caught = {}
    for name, ratios in recorded.items():
        gate = Gate(ratios)
        caught[name] = sum(
            gate.is_regression(*draw(random, len(ratios)), 0.1) for _ in range(SLOW_RUNS)
        )
    worst = min(caught, key=caught.__getitem__)
    print(f"\n10% slower: {worst} is caught least, {caught[worst]} times of {SLOW_RUNS}")
    assert caught[worst] >= 0.95 * SLOW_RUNS, caught


def test_the_gate_in_the_simulation_is_the_one_that_compares(recorded):
    """The same blocks through files and `compare` get the same verdict, slowed and not."""
    ratios = recorded["score"]
    signs = np.ones(len(ratios))
    for slower in (0.0, 0.1):
        base = np.full(ratios.shape, 0.1)
        real = paired(base.tolist(), (base * np.exp(ratios) * (1 + slower)).tolist())
        simulated = Gate(ratios).judged(np.arange(len(ratios)), signs, slower)
        assert simulated.low == pytest.approx(real.low, abs=1e-9)
        assert simulated.high == pytest.approx(real.high, abs=1e-9)


def test_five_percent_more_memory_is_caught_in_every_case_and_recorded_counters_are_quiet(tmp_path):
    counts = record_rounds.read()["counts"]
    assert counts.keys() == CASES.keys()
    same = times()

    def compared(factor):
        files = []
        for side, by in ((0, 1.0), (-1, factor)):
            entries = []
            for name, sides in counts.items():
                peaks = {m: round(v * by) for m, v in sides[side].items() if m.startswith("peak")}
                figures = entry(name, same)
                figures["extra_info"] |= sides[side] | peaks
                entries.append(figures)
            files.append(read(write(tmp_path / f"{side}.json", entries, "r")))
        return compare(*files)

    assert compared(1.0).regressions == []
    grown = {f.case for f in compared(1.05).regressions if COUNTERS[f.measure].tolerance}
    assert grown == CASES.keys()
