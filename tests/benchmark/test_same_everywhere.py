"""One machine, a Ray cluster and shards put together: the same tables and the same pictures."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmark.atomic import checksums
from benchmark.config import RunConfig
from benchmark.executors import ray_cluster
from benchmark.merge import merge
from benchmark.runner import run_benchmark
from benchmark.shards import Shard

pytestmark = pytest.mark.slow

SCORED = {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"], "text_encoders": []}
METHODS = [
    {"name": "base"},
    {"name": "textual-inversion", "preset": "toy"},
    {"name": "dreambooth", "preset": "toy", "settings": {"prior_images": 8}},
]


def work(config: RunConfig, path: Path, shard: Shard | None = None) -> Path:
    outcome = run_benchmark(config, path, Console(quiet=True), shard=shard)
    assert not outcome.failures
    return path


def outcome(run: Path) -> dict[str, str]:
    """Checksums of the results, and of every picture and checkpoint."""
    lasting = ("/images/", "/checkpoint/", "/scores.parquet")
    files = checksums(run / "cells", lambda name: any(part in f"/{name}" for part in lasting))
    return {**files, **checksums(run, lambda name: name == "results.parquet")}


@pytest.mark.long
def test_results_are_the_same_bit_for_bit_wherever_cells_run(small, tmp_path, monkeypatch):
    def config(**execution):
        return small(
            subjects=["spotted_dog", "rain_boot"],
            methods=METHODS,
            prior={"steps": 2},
            scoring=SCORED,
            execution=execution,
        )

    local = work(config(workers=2), tmp_path / "local")
    expected = outcome(local)
    assert sum(name.endswith(".png") for name in expected) == 6 * 4

    parts = []
    for number in (1, 2):
        # A cache of its own each, as on machines that share no disk.
        monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / f"cache-{number}"))
        parts.append(work(config(), tmp_path / f"shard-{number}", Shard(number, 2)))
    for part in parts:
        assert 0 < len(outcome(part)) < len(expected)
    merged = merge(parts, tmp_path / "merged")
    assert (merged.done, merged.missing) == (6, 0)
    assert outcome(tmp_path / "merged") == expected
    # Nothing is left to do for a run of the whole.
    again = run_benchmark(config(), tmp_path / "merged", Console(quiet=True))
    assert not again.failures
    assert merged.run.cells().attempts.eq(1).all()

    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache-ray"))
    with ray_cluster.joined(None, cpus=2, gpus=False):
        work(config(executor="ray", workers=2), tmp_path / "ray")
    assert outcome(tmp_path / "ray") == expected


def test_shards_of_one_folder_make_one_run(small, tmp_path):
    config = small(methods=[{"name": "base"}, {"name": "copy"}, {"name": "oracle"}])
    first = run_benchmark(config, tmp_path / "run", Console(quiet=True), shard=Shard(1, 2))
    assert first.cells == 2
    assert sorted(first.run.cells().status) == ["done", "done", "pending"]
    second = run_benchmark(config, tmp_path / "run", Console(quiet=True), shard=Shard(2, 2))
    assert second.cells == 1
    assert second.run.cells().status.eq("done").all()
