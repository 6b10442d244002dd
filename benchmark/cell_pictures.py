"""The pictures of a cell: those of the subject, and those without it that metrics ask for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmark.atomic import checksum, digest, read_record
from benchmark.generate import Sampling, batches, noise_seed, sample
from benchmark.method_checked import check_pictures
from benchmark.pauses import pauses
from benchmark.pictures import of_one_colour, read_picture, write_picture
from benchmark.plan import Cell, backbone_of
from benchmark.records import read_intact, write_sealed

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

    from benchmark.cell import Bench
    from benchmark.measure import Stage
    from benchmark.metrics.probed import Probed
    from methods import ImageRequest


def make_probes(bench: Bench, pipe: DiffusionPipeline) -> Probed:
    """What metrics want of the trained model without the subject, and the same untouched."""
    from benchmark.probes import Prober, both

    cell, compute = bench.cell, bench.task.compute
    prober = Prober(
        cell.probes,
        _sampling(cell),
        cell.backbone_revision,
        compute.precision,
        compute.device,
        lambda: backbone_of(cell).load(compute.device, compute.precision),
        lambda done, total: bench.circumstances.report("probe", done, total),
    )
    trained = prober.trained(pipe, bench.folder.path / "probes", _origin(bench))
    return both(trained, prober.untouched())


def make_pictures(
    bench: Bench, pipe: DiffusionPipeline, stage: Stage, environment: str | None = None
) -> list[str]:
    """Makes the pictures that are missing, in whole batches, always in the same order, and names
    the files that are of one single colour.

    stage: is told what those cost that an earlier attempt left. environment: what the machine and
    the software are called that the missing ones are made with.
    """
    from methods import ImageRequest

    cell, method, folder = bench.cell, bench.method, bench.folder
    origin = _origin(bench)
    spent_file = folder.path / "generate.json"
    before = read_intact(spent_file)
    spent: dict[str, float] = before.get("seconds") or {}
    sums: dict[str, str] = before.get("files") or {}
    known = before.get("environments") or []
    made_with = sorted({*known, environment} if environment else known)
    peaks_before: dict[str, float] = before.get("peaks") or {}
    plain: list[str] = []
    wanted = [(id, seed) for id in cell.prompts for seed in cell.seeds]
    size = bench.circumstances.generation_batch
    for number, batch in enumerate(batches(wanted, size)):
        bench.circumstances.report("generate", number * size, len(wanted))
        names = [folder.image(id, seed).name for id, seed in batch]
        requests = [
            ImageRequest(
                prompt=method.prompt(cell.prompts[id], bench.task, bench.settings),
                template=cell.prompts[id],
                seed=seed,
            )
            for id, seed in batch
        ]
        abouts = [{"prompt": one.prompt, "seed": str(one.seed)} for one in requests]
        kept = {
            name: read_picture(folder.images / name, origin, about)
            for name, about in zip(names, abouts, strict=True)
        }
        # A picture whose time and memory are lost is made again: it would count as made for
        # nothing. So is one that was saved by something else, its notes kept.
        if peaks_before and all(
            name in spent and image and sums.get(name) == checksum(folder.images / name)
            for name, image in kept.items()
        ):
            stage.seconds_not_here += sum(spent[name] for name in names)
            stage.peaks_not_here = peaks_before
            plain += [name for name, image in kept.items() if image and of_one_colour(image)]
            continue
        begin, pauses_before = time.perf_counter(), pauses()
        images = method.images(
            pipe, requests, bench.task, bench.settings, lambda p, r: _generate(cell, p, r)
        )
        # Controls show photos and drawings as they are.
        side = cell.resolution if method.trains else None
        check_pictures(cell.method, images, len(requests), side)
        for about, name, image in zip(abouts, names, images, strict=True):
            write_picture(folder.images / name, image, origin, about)
        plain += [name for name, image in zip(names, images, strict=True) if of_one_colour(image)]
        seconds = (time.perf_counter() - begin) / len(batch)
        if pauses() == pauses_before:
            spent |= dict.fromkeys(names, seconds)
            sums |= {name: checksum(folder.images / name) for name in names}
            content = {
                "seconds": spent,
                "files": sums,
                "peaks": stage.peaks(),
                "environments": made_with,
            }
            write_sealed(spent_file, content)
    return plain


def _origin(bench: Bench) -> str:
    """What marks a picture as made for this cell by this checkpoint."""
    files = read_record(bench.folder.path / "checkpoint.json").get("files")
    return digest([bench.cell.key, files], 16)


def _generate(
    cell: Cell, pipe: DiffusionPipeline, requests: list[ImageRequest]
) -> list[Image.Image]:
    ids = {template: id for id, template in cell.prompts.items()}
    seeds = [noise_seed(cell.subject, ids[r.template], r.seed) for r in requests]
    return sample(pipe, [request.prompt for request in requests], seeds, _sampling(cell))


def _sampling(cell: Cell) -> Sampling:
    return Sampling(cell.steps, cell.guidance_scale, cell.sampler, cell.resolution)
