"""The cache of embeddings: what is found again, what never is, and what happens to a broken one."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from benchmark import embedding_cache, torch_environment
from benchmark.cli import app
from benchmark.embedding_cache import EmbeddingCache, open_cache
from benchmark.errors import UserError
from benchmark.metrics.encoders import Encoder, Preparation

GREY = Preparation(8, 8, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "embeddings.sqlite", 10_000_000)


def key(number):
    return EmbeddingCache.key(["image", "net"], b"%d" % number)


def row(number, width=16):
    return np.random.default_rng(number).normal(size=width).astype(np.float32).tobytes()


def test_rows_come_back_bit_for_bit(cache):
    rows = {key(n): row(n) for n in range(1200)}
    cache.write(rows)
    found = cache.read([*rows, key(5000)])
    assert found == rows
    assert cache.info().embeddings == 1200


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """An encoder whose cache is on, and the number of pictures its network has seen."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("TBBENCH_EMBEDDINGS_MB", "10")
    seen = []

    def network(batch):
        seen.append(len(batch))
        return batch.flatten(1)

    def encoder(revision="r1", prepare=GREY, device="cpu"):
        texts = lambda batch: torch.tensor([[len(t), 1.0] for t in batch])  # noqa: E731
        return Encoder("net", revision, device, prepare, network, texts)

    return encoder, seen


def picture(seed, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def test_a_picture_goes_through_a_network_once(counted):
    encoder, seen = counted
    images = [picture(0), picture(1), picture(0)]
    first = encoder().images(images)
    assert sum(seen) == 2
    np.testing.assert_array_equal(encoder().images([picture(1), picture(0)]), first[[1, 0]])
    assert sum(seen) == 2


def test_a_row_is_of_its_company_whatever_the_cache_holds(counted):
    """The last bits of a row depend on what else is in its batch; here the whole row does."""
    encoder, _ = counted
    images = [picture(seed) for seed in range(5)]

    def together(pixels):
        return torch.stack([p.flatten()[:2] + pixels.sum() for p in pixels])

    def rows(*calls):
        made = replace(encoder(), embed_images=together)
        return [made.images([images[i] for i in chosen], size) for chosen, size in calls][-1]

    fresh = rows((range(5), 3))
    photos = rows((range(5), 1))
    open_cache().file.unlink()
    after_others = rows(([1, 4], 1), ([1, 2], 2), ([0, 1, 2, 4], 3), (range(5), 3))
    np.testing.assert_array_equal(after_others, fresh)
    np.testing.assert_array_equal(rows(([3], 1), (range(5), 1)), photos)
    assert np.abs(fresh - photos).max() > 1e-3


def test_a_batch_that_the_cache_has_in_part_is_embedded_whole(counted):
    encoder, seen = counted
    images = [picture(seed) for seed in range(4)]
    first = encoder().images(images, 2)
    with sqlite3.connect(open_cache().file) as database:
        database.execute("delete from embeddings where rowid = 1")
    before = sum(seen)
    np.testing.assert_array_equal(encoder().images(images, 2), first)
    assert sum(seen) == before + 2


def test_whatever_changes_an_embedding_misses(counted):
    """Weights, preparation, pixels and their layout each have embeddings of their own (trap 13)."""
    encoder, seen = counted
    encoder().images([picture(0)])
    for changed in (
        lambda: encoder(revision="r2").images([picture(0)]),
        lambda: encoder(prepare=Preparation(9, 8, (0.5,) * 3, (0.5,) * 3)).images([picture(0)]),
        lambda: encoder(prepare=Preparation(8, 8, (0.4,) * 3, (0.5,) * 3)).images([picture(0)]),
        lambda: encoder().images([picture(1)]),
        lambda: encoder().images([picture(0).transpose(Image.Transpose.ROTATE_90)]),
        lambda: encoder().images([Image.frombytes("RGB", (16, 4), picture(0).tobytes())]),
    ):
        before = sum(seen)
        changed()
        assert sum(seen) == before + 1


def test_half_precision_has_embeddings_of_its_own(counted, monkeypatch):
    """Trap 14: half-precision features compared with full-precision ones."""
    encoder, seen = counted
    encoder().images([picture(0)])
    monkeypatch.setattr("benchmark.metrics.encoders.DTYPE", "float16")
    encoder().images([picture(0)])
    assert sum(seen) == 2


def test_other_code_packages_and_threads_have_embeddings_of_their_own(counted, monkeypatch):
    """A cell must not differ by what an older version left in the cache."""
    encoder, seen = counted
    encoder().images([picture(0)])
    monkeypatch.setattr(torch_environment, "_loaded", lambda *_: ["another version"])
    encoder().images([picture(0)])
    assert sum(seen) == 2
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        encoder().images([picture(0)])
    finally:
        torch.set_num_threads(threads)
    assert sum(seen) == 3


def test_texts_are_kept_apart_from_pictures(counted):
    encoder, _ = counted
    batches = []
    counting = replace(encoder(), embed_texts=lambda t: batches.append(t) or torch.ones(len(t), 2))
    counting.texts(["a cat", "a cat", "a"])
    assert batches == [["a cat"], ["a"]]  # one that repeats is embedded once
    open_cache().file.unlink()
    first = encoder().texts(["a dog", "a"])
    np.testing.assert_array_equal(encoder().texts(["a", "a dog"]), first[[1, 0]])
    assert open_cache().info().embeddings == 2


def test_a_file_that_was_scored_before_is_not_decoded_again(counted, tmp_path, monkeypatch):
    encoder, seen = counted
    file = tmp_path / "a.png"
    picture(0).save(file)
    first = encoder().images([file])
    np.testing.assert_array_equal(first, encoder().images([picture(0)]))
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", None)  # calling it would fail
        np.testing.assert_array_equal(encoder().images([file]), first)
    picture(1).save(file)
    np.testing.assert_array_equal(encoder().images([file]), encoder().images([picture(1)]))
    assert sum(seen) == 2


def test_zero_megabytes_turn_it_off(counted, monkeypatch):
    encoder, seen = counted
    monkeypatch.setenv("TBBENCH_EMBEDDINGS_MB", "0")
    encoder().images([picture(0)])
    encoder().images([picture(0)])
    assert sum(seen) == 2
    assert not open_cache().file.exists()


@pytest.mark.parametrize("given", ["many", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, given):
    monkeypatch.setenv("TBBENCH_EMBEDDINGS_MB", given)
    with pytest.raises(UserError, match="expected megabytes, or 0 for no cache"):
        open_cache()


def test_it_keeps_below_its_limit_and_drops_what_was_not_used(tmp_path, monkeypatch):
    cache = EmbeddingCache(tmp_path / "embeddings.sqlite", 400_000)
    clock = [1_000_000]
    monkeypatch.setattr(embedding_cache.time, "time", lambda: clock[0])
    cache.write({key(0): row(0, 512)})
    for number in range(1, 400):
        clock[0] += 4000
        cache.write({key(number): row(number, 512)})
        cache.read([key(0)])
        assert cache.info().bytes <= 400_000
    found = cache.read([key(number) for number in range(400)])
    assert key(0) in found
    assert key(399) in found
    assert key(1) not in found
    assert 100 < len(found) < 195


def test_prune_gives_the_disk_its_space_back(cache):
    cache.write({key(n): row(n, 256) for n in range(1000)})
    before = cache.file.stat().st_size
    after = cache.prune(100_000)
    assert 0 < after.embeddings < 100
    assert after.bytes <= 100_000
    assert cache.file.stat().st_size < before / 5
    assert cache.prune(0).embeddings == 0


def test_a_damaged_row_counts_as_missing(cache):
    cache.write({key(0): row(0), key(1): row(1)})
    with sqlite3.connect(cache.file) as database:
        (vector,) = database.execute(
            "select vector from embeddings where key=?", [key(0)]
        ).fetchone()
        changed = bytes([vector[0] ^ 1]) + vector[1:]
        database.execute("update embeddings set vector=? where key=?", (changed, key(0)))
    assert set(cache.read([key(0), key(1)])) == {key(1)}


def test_a_file_that_is_no_database_is_begun_anew(cache):
    cache.file.write_bytes(b"no database at all" * 100)
    assert cache.read([key(0)]) == {}
    cache.write({key(0): row(0)})
    assert set(cache.read([key(0)])) == {key(0)}


def test_a_folder_that_cannot_be_made_costs_no_result(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(tmp_path / "file" / "embeddings.sqlite", 1000)
    cache.write({key(0): row(0)})
    assert cache.read([key(0)]) == {}
    assert "not used" in caplog.text


WRITER = """
import sys
from pathlib import Path
from benchmark.embedding_cache import EmbeddingCache
cache = EmbeddingCache(Path(sys.argv[1]), 10_000_000)
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 50):
    key = EmbeddingCache.key(["image", "net"], b"%d" % number)
    cache.write({key: b"%d" % number})
    assert cache.read([key]) == {key: b"%d" % number}
"""


def test_several_processes_write_at_once(cache):
    starts = (0, 25, 100)
    command = [sys.executable, "-c", WRITER, str(cache.file)]
    workers = [subprocess.Popen([*command, str(start)]) for start in starts]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    wanted = {n for start in starts for n in range(start, start + 50)}
    assert cache.read([key(n) for n in wanted]) == {key(n): b"%d" % n for n in wanted}


def test_the_commands_show_and_empty_it(counted):
    encoder, _ = counted
    encoder().images([picture(seed) for seed in range(5)])
    shown = CliRunner().invoke(app, ["cache", "info"])
    assert "5 embeddings" in shown.output
    assert "at most 10 MB" in shown.output
    emptied = CliRunner().invoke(app, ["cache", "prune"])
    assert emptied.exit_code == 0
    assert "0 embeddings" in emptied.output
    assert open_cache().info().embeddings == 0
