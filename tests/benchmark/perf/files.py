"""Files as `tbbench perf run` writes them, with made-up figures."""

import json
from pathlib import Path

import numpy as np

MACHINE = {"cpu": {"brand_raw": "Some CPU"}, "python_version": "3.11.9"}
COUNTS = {"peak_live_bytes": 1_000_000, "flops": 5_000, "checkpoint_bytes": 400}


def times(change=0.0, blocks=6, pairs=8, noise=0.01, seed=0, level=0.1):
    """Blocks of seconds around `level`, more by the share `change`."""
    random = np.random.default_rng(seed)
    spread = np.exp(random.normal(0, noise, (blocks, pairs)))
    return (level * (1 + change) * spread).tolist()


def entry(name, blocks, timer="process_time", **counts):
    data = [second for block in blocks for second in block]
    return {
        "group": "train",
        "name": name,
        "fullname": name,
        "params": None,
        "param": None,
        "extra_info": {**COUNTS, **counts, "case": name, "blocks": [len(b) for b in blocks]},
        "options": {"timer": timer},
        "stats": {"median": float(np.median(data)), "data": data, "iterations": 1},
    }


def write(path: Path, entries, round_=None, **changes) -> Path:
    content = {
        "machine_info": MACHINE,
        "commit_info": {"id": path.stem * 3},
        "benchmarks": entries,
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.3.1",
        "round": round_,
        "failed": {},
    }
    path.write_text(json.dumps(content | changes))
    return path
