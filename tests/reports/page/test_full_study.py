"""A study of full size: 6 methods, 30 subjects, 25 prompts, 4 seeds, pictures of 512 px."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from benchmark.host_memory import peak
from benchmark.metrics.evidence import scores
from reports.page.material import Material, Source
from reports.write import write_report
from tests.reports.made_up import cell

METHODS = (
    *("textboost", "textboost-v2", "dreambooth"),
    *("dreambooth-lora", "textual-inversion", "custom-diffusion"),
)
SUBJECTS = tuple(f"subject_{number:02d}" for number in range(30))
PROMPTS = {f"prompt-{number:02d}": f"a {{subject}} in place {number}" for number in range(25)}
SEEDS = (0, 1, 2, 3)
PICTURES = len(METHODS) * len(SUBJECTS) * len(PROMPTS) * len(SEEDS)
COLUMNS = (("fidelity", "dino-vits16", "unseen"), ("fidelity", "dino-vits16", "seen"))
COLUMNS += (("fidelity", "clip-vit-b-32", "unseen"), ("alignment", "clip-vit-b-32", None))


def study(folder):
    """The study as plain data; its pictures are 100 files under 18,000 names."""
    random = np.random.default_rng(0)
    (folder / "drawn").mkdir(parents=True)
    for number in range(100):
        colours = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        drawn = Image.fromarray(colours).resize((512, 512), Image.Resampling.BILINEAR)
        drawn.save(folder / "drawn" / f"{number}.png", compress_level=1)
    cells, results = [], []
    place = 0
    for subject in SUBJECTS:
        for method in METHODS:
            made = cell(method, subject, prompts=PROMPTS, seeds=list(SEEDS), preset="paper")
            record = {"key": made.key, **made.to_json(), "protocol": made.protocol}
            cells.append(record | {"status": "done", "attempts": 1})
            (folder / made.key).mkdir()
            for prompt in PROMPTS:
                for seed in SEEDS:
                    os.link(
                        folder / "drawn" / f"{place % 100}.png",
                        folder / made.key / f"{prompt}-{seed}.png",
                    )
                    place += 1
            results += cell_results(made, random)
    return Material(
        title="A study of full size",
        notes=(),
        warnings=(),
        results=pd.concat(results, ignore_index=True),
        costs=pd.DataFrame(),
        cells=tuple(cells),
        image=lambda key, prompt, seed: folder / key / f"{prompt}-{seed}.png",
        photos=lambda subject: {"seen": [folder / "drawn" / "0.png"], "unseen": []},
        sources=(Source("full", {"cores": 2}, 'name = "full"\n', {}),),
    )


def cell_results(made, random):
    """Scores of a cell, by column, with the identity that `collect` gives them."""
    about = [
        {"prompt_id": prompt, "prompt": text.replace("{subject}", "dog"), "seed": seed}
        for prompt, text in PROMPTS.items()
        for seed in SEEDS
    ]
    identity = {
        name: getattr(made, name)
        for name in ("method", "preset", "backbone", "dataset", "split", "subject", "train_seed")
    }
    skill = 0.5 + 0.03 * METHODS.index(made.method)
    return [
        scores(
            {
                **row,
                "metric": metric,
                "reference": reference,
                "value": random.normal(skill, 0.05),
                "image": f"cells/{made.key}/images/{row['prompt_id']}-{row['seed']}.png",
            }
            for row in about
        ).assign(encoder=encoder, protocol=made.protocol, **identity)
        for metric, encoder, reference in COLUMNS
    ]


def renderer_memory(page):
    """Bytes that the process that shows the page has to itself, without what it shares."""
    processes = page.context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    resident = []
    for process in processes["processInfo"]:
        if process["type"] == "renderer":
            with suppress(psutil.NoSuchProcess):
                resident.append(psutil.Process(process["id"]).memory_full_info().uss)
    return max(resident)


def written_twice(folder):
    """The page's path, the peak of memory for writing it, and a line on each time."""
    material = study(folder / "study")
    said = []
    for _ in range(2):
        wall, own = time.perf_counter(), time.process_time()
        index = write_report(material, folder / "report")
        wall, own = time.perf_counter() - wall, time.process_time() - own
        said.append(f"{wall:.0f} s, {own:.1f} s of this process")
    return index, peak(), said


@pytest.mark.long
def test_a_full_study_is_small_and_scrolls_in_little_memory(tmp_path, visit):
    assert PICTURES == 18_000
    # In a process of its own: this one has held what other tests needed.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        index, most, said = alone.submit(written_twice, tmp_path).result()
    size = index.stat().st_size
    print(f"\nfirst {said[0]}; again {said[1]}; {size / 1e6:.2f} MB HTML")
    print(f"peak RSS {most / 1e6:.0f} MB, without the two processes that make thumbnails")
    assert size < 5_000_000
    assert most < 1.5e9
    # A hundred pictures under 18,000 names, and the index of what was made from what.
    assert len(list((tmp_path / "report" / "thumbnails").iterdir())) == 101

    with visit(index) as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        page.get_by_text("18000 of 18000 pictures").wait_for()
        ready = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
        print(f"usable after {ready:.0f} ms")
        page.locator("#found").scroll_into_view_if_needed()
        most, memory = 0, 0
        height = page.evaluate("document.documentElement.scrollHeight")
        # Down the whole wall in leaps, and back to the middle. Cards that were left behind are
        # garbage, 3 MB a leap, which a browser with memory to spare may keep: it is collected now
        # and then, and what the page itself holds on to would still add up.
        for leap, part in enumerate((*np.linspace(0.05, 0.95, 60), 0.5)):
            page.evaluate(f"scrollTo(0, {part * height})")
            if leap % 10 == 0:
                devtools.send("HeapProfiler.collectGarbage")
            page.wait_for_timeout(50)
            most = max(most, page.locator(".card").count())
            memory = max(memory, renderer_memory(page))
        page.locator(".card").first.wait_for()
        found = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
        print(f"at most {most} cards, {found['JSHeapUsedSize'] / 1e6:.0f} MB of JavaScript")
        print(f"{memory / 1e6:.0f} MB private to the page's process")
        assert 0 < most < 1000
        assert memory < 300e6
        page.get_by_label("Order", exact=True).select_option(index=1)
        page.get_by_label("Seed", exact=True).select_option(label="2")
        page.get_by_text("4500 of 18000 pictures").wait_for()
