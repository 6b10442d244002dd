"""`python -m tests.perf.record_rounds 6`: six more rounds of unchanged code against itself.

Appends to tests/perf/data/recorded-rounds.json, from which test_error_rates.py says how often the
gate is wrong. A round is a block of the gate's own measurement: a fresh process for each of two
copies of the code, all cases in turn. Without a number it counts instead: the counters of two
processes, which go into the same file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.atomic import write_text
from benchmark.perf.rounds import Measured, _count, _time
from benchmark.perf.suite import CASES
from benchmark.perf.trees import copy_running

RECORDED = Path(__file__).parent / "data" / "recorded-rounds.json"
MICROSECONDS = 1_000_000


def read() -> dict[str, Any]:
    """counts: case -> counters of one process or two. rounds: recorded, load, seconds; and cases,
    by name the microseconds of both processes, in the order of measuring."""
    if not RECORDED.is_file():
        return {"counts": {}, "rounds": []}
    content: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return content


def write(content: dict[str, Any]) -> None:
    """A line per round: a diff shows what was added."""
    rounds = ",\n".join(json.dumps(one, separators=(",", ":")) for one in content["rounds"])
    counts = json.dumps(content["counts"], separators=(",", ":"))
    write_text(RECORDED, f'{{"counts":{counts},\n"rounds":[\n{rounds}\n]}}\n')


def one_round(measured: dict[str, Measured], began: float) -> dict[str, Any]:
    return {
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[1], 1),
        "seconds": round(time.time() - began),
        "cases": {
            name: [[round(second * MICROSECONDS) for second in side] for side in case.blocks[0]]
            for name, case in measured.items()
            if case.blocks
        },
    }


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        trees = [Path(scratch) / "base", Path(scratch) / "code"]
        for tree in trees:
            copy_running(tree)
        if rounds == 0:
            measured = {name: Measured() for name in CASES}
            _count(trees, measured, print)
            counts = {name: case.counts for name, case in measured.items()}
            write(read() | {"counts": counts})
        for number in range(rounds):
            began = time.time()
            measured = {name: Measured() for name in CASES}
            _time(trees, measured, list(CASES), number)
            content = read()
            content["rounds"].append(one_round(measured, began))
            write(content)
            print(f"round {number + 1} of {rounds}: {content['rounds'][-1]['seconds']} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
