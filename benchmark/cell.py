"""What a worker does for one cell, stage by stage.

load, prepare, train, save: on a pipeline of its own, skipped when a whole checkpoint is there.
reload, generate, probe, score: always from the checkpoint on a fresh pipeline, so that a cell that
was interrupted gives the same pictures as one that was not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import checksums, digest, files_under, new_folder, read_record, write_json
from benchmark.devices import Device, open_device
from benchmark.generate import Sampling, batches, noise_seed, sample, seed_everything
from benchmark.measure import Cost, Stage, step_costs
from benchmark.pictures import read_picture, write_picture
from benchmark.plan import Cell, backbone_of
from benchmark.prior import PriorImages
from benchmark.scoring import score_pictures
from benchmark.store import CellFolder, cell_folder
from benchmark.subjects import Dataset, Prompt, Subject, open_dataset
from benchmark.together import parts, subject_together
from textboost.compute import Compute

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

    from benchmark.metrics.probed import Probed
    from methods import ImageRequest, Method, Task
    from methods.interface import Companion


@dataclass(frozen=True)
class Circumstances:
    """What the outcome does not depend on."""

    device: str = "cpu"
    generation_batch: int = 8
    scoring_batch: int = 32
    start_seconds: float = 0.0
    """From asking for the worker's process until it began with the cell."""
    report: Callable[[str, int, int], None] = lambda stage, done, total: None
    """Called with (stage, steps done, steps in all; 0 when there are none to count)."""


@dataclass(frozen=True)
class Bench:
    """What the stages of one cell share."""

    cell: Cell
    folder: CellFolder
    circumstances: Circumstances
    device: Device
    dataset: Dataset
    subject: Subject
    method: Method
    settings: Any
    task: Task
    prior: PriorImages

    def stage(self, name: str) -> Stage:
        """The stage's clock; python, numpy and torch are seeded for it."""
        self.circumstances.report(name, 0, 0)
        cell = self.cell
        seed_everything(cell.method, cell.subject, cell.split, cell.train_seed, name)
        return Stage(name, self.device)


def run_cell(run: Path, cell: Cell, circumstances: Circumstances) -> bool:
    """Does what is still missing of the cell and says whether it is done.

    An error ends the cell, not the run: it is recorded in cell.json, its traceback on stderr,
    which a worker sends to log.txt.
    """
    folder = cell_folder(run, cell.key)
    with folder.lock():
        if folder.done():
            return True
        folder.begin(cell)
        try:
            bench = set_up(folder, cell, circumstances)
            costs = train_stages(bench) if bench.method.trains else []
            costs += image_stages(run, bench)
        except Exception as error:
            traceback.print_exc()
            folder.fail(cell, type(error).__name__, str(error))
            return False
        write_json(folder.path / "cost.json", [dataclasses.asdict(cost) for cost in costs])
        folder.finish(cell)
        return True


def set_up(folder: CellFolder, cell: Cell, circumstances: Circumstances) -> Bench:
    """Opens everything by name. UserError when a photo or the backbone is not the planned one."""
    from methods import Task, get_method

    dataset = open_dataset(cell.dataset)
    subject = subject_together(dataset, cell.subject)
    method = get_method(cell.method)
    backbone = backbone_of(cell)
    prompts = {template: id for id, template in cell.prompts.items()}

    def draw(template: str, seed: int) -> Image.Image:
        image = dataset.oracle(cell.subject, Prompt(prompts[template], template), seed)
        assert image is not None, f"{cell.dataset} does not know the answer to {template!r}"
        return image

    prior = PriorImages(
        backbone,
        Sampling(resolution=cell.resolution, **cell.prior),
        circumstances.device,
        cell.compute["precision"],
        report=lambda done, total: circumstances.report("prepare", done, total),
    )
    first, *others = [_concept(dataset, cell, part) for part in parts(cell.subject)]
    task = Task(
        subject=first.subject,
        class_noun=first.class_noun,
        descriptor=first.descriptor,
        live=cell.live,
        photos=first.photos,
        companions=tuple(others),
        seed=cell.train_seed,
        resolution=cell.resolution,
        compute=Compute(device=circumstances.device, **cell.compute),
        prior_prompts=backbone.captions(),
        prior_images=prior,
        draw=draw if cell.dataset == "toyworld" else None,
        report=lambda done, total, loss: circumstances.report("train", done, total),
    )
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in cell.settings.items()
    }
    return Bench(
        cell=cell,
        folder=folder,
        circumstances=circumstances,
        device=open_device(circumstances.device),
        dataset=dataset,
        subject=subject,
        method=method,
        settings=method.Settings(**values),
        task=task,
        prior=prior,
    )


def _concept(dataset: Dataset, cell: Cell, name: str) -> Companion:
    """One of the subjects that the cell learns, with its training photos."""
    from methods.interface import Companion

    subject = dataset.subject(name)
    # Told apart by checksum: in a cell of several subjects photos have longer names.
    mine = [photo for photo in subject.photos if photo.sha256 in cell.seen.values()]
    photos = tuple(photo.load() for photo in mine)
    return Companion(name, subject.class_noun, subject.descriptor, photos)


def train_stages(bench: Bench) -> list[Cost]:
    """load, prepare, train and save; their costs, also when an earlier attempt did the work."""
    manifest = read_record(bench.folder.path / "checkpoint.json")
    if manifest and checksums(bench.folder.checkpoint) == manifest.get("files"):
        print(f"checkpoint of an earlier attempt is whole, not trained again: {bench.cell.key}")
        return [Cost(**cost) for cost in manifest["costs"]]
    from methods import model_card

    method, task, settings = bench.method, bench.task, bench.settings
    with bench.stage("load") as load:
        pipe = backbone_of(bench.cell).load(task.compute.device, task.compute.precision)
        load.add("start_seconds", bench.circumstances.start_seconds, "s")
    with bench.stage("prepare") as prepare:
        method.prepare(pipe, task, settings)
        prepare.seconds_not_here = bench.prior.made_seconds - bench.prior.waited_seconds
    with bench.stage("train") as train:
        result = method.train(pipe, task, settings)
        train.add("trainable_parameters", result.trainable_parameters, "parameters", "exact")
        train.add("steps", len(result.losses), "steps", "exact")
        train.add("images", result.pictures, "images", "exact")
        if task.compute.precision == "fp16":
            train.add("skipped_steps", result.skipped, "steps", "exact")
        train.costs += step_costs("train", result.step_seconds, result.step_pictures)
    bench.folder.write_losses(result.losses, result.step_seconds)
    print(f"trained {bench.cell.key}: {len(result.losses)} steps, {train.seconds:.1f} s")
    with bench.stage("save") as save, new_folder(bench.folder.checkpoint) as fresh:
        method.save(pipe, task, settings, fresh)
        size = sum((fresh / file).stat().st_size for file in files_under(fresh))
        save.add("checkpoint_bytes", size, "B", "exact")
        # For people; nothing of it is needed to have the model again. A plug-in may not have one.
        with contextlib.suppress(NotImplementedError):
            model_card.write(method, pipe, task, settings, fresh)
    costs = [cost for stage in (load, prepare, train, save) for cost in stage.costs]
    content = {
        "files": checksums(bench.folder.checkpoint),
        "costs": [dataclasses.asdict(cost) for cost in costs],
    }
    write_json(bench.folder.path / "checkpoint.json", content)
    return costs


def image_stages(run: Path, bench: Bench) -> list[Cost]:
    """reload (load, for a method that does not train), generate, probe where asked, and score."""
    gc.collect()
    method, task = bench.method, bench.task
    with bench.stage("reload" if method.trains else "load") as load:
        pipe = backbone_of(bench.cell).load(task.compute.device, task.compute.precision)
        if method.trains:
            method.load(pipe, task, bench.settings, bench.folder.checkpoint)
        else:
            load.add("start_seconds", bench.circumstances.start_seconds, "s")
    with bench.stage("generate") as generate:
        generate.seconds_not_here = make_pictures(bench, pipe)
        generate.pictures = len(bench.cell.prompts) * len(bench.cell.seeds)
    costs = [*load.costs, *generate.costs]
    found = None
    if bench.cell.probes and method.trains:
        with bench.stage("probe") as probe:
            found = make_probes(bench, pipe)
        costs += probe.costs
    del pipe
    gc.collect()
    with bench.stage("score") as score:
        circumstances = bench.circumstances
        if bench.cell.metrics:
            score.pictures = len(bench.cell.prompts) * len(bench.cell.seeds)
        score_pictures(
            run,
            bench.folder,
            bench.cell,
            bench.subject,
            circumstances.scoring_batch,
            circumstances.device,
            probed=found,
        )
    return [*costs, *score.costs]


def make_probes(bench: Bench, pipe: DiffusionPipeline) -> Probed:
    """What metrics want of the trained model without the subject, and the same untouched."""
    from benchmark.probes import Prober, both

    cell, compute = bench.cell, bench.task.compute
    prober = Prober(
        cell.probes,
        _sampling(cell),
        cell.backbone_revision,
        compute.precision,
        lambda: backbone_of(cell).load(compute.device, compute.precision),
        lambda done, total: bench.circumstances.report("probe", done, total),
    )
    trained = prober.trained(pipe, bench.folder.path / "probes", _origin(bench))
    return both(trained, prober.untouched())


def make_pictures(bench: Bench, pipe: DiffusionPipeline) -> float:
    """Makes the pictures that are missing, in whole batches, always in the same order.

    Returns the seconds that earlier attempts spent on the pictures they left.
    """
    from methods import ImageRequest

    cell, method, folder = bench.cell, bench.method, bench.folder
    origin = _origin(bench)
    spent_file = folder.path / "generate.json"
    spent: dict[str, float] = read_record(spent_file)
    earlier = 0.0
    wanted = [(id, seed) for id in cell.prompts for seed in cell.seeds]
    size = bench.circumstances.generation_batch
    for number, batch in enumerate(batches(wanted, size)):
        bench.circumstances.report("generate", number * size, len(wanted))
        names = [folder.image(id, seed).name for id, seed in batch]
        if all(read_picture(folder.images / name, origin) for name in names):
            earlier += sum(spent.get(name, 0.0) for name in names)
            continue
        begin = time.perf_counter()
        requests = [
            ImageRequest(
                prompt=method.prompt(cell.prompts[id], bench.task, bench.settings),
                template=cell.prompts[id],
                seed=seed,
            )
            for id, seed in batch
        ]
        images = method.images(
            pipe, requests, bench.task, bench.settings, lambda p, r: _generate(cell, p, r)
        )
        if len(images) != len(requests):
            raise ValueError(f"{cell.method} made {len(images)} pictures of {len(requests)}")
        for request, name, image in zip(requests, names, images, strict=True):
            about = {"prompt": request.prompt, "seed": str(request.seed)}
            write_picture(folder.images / name, image, origin, about)
        seconds = (time.perf_counter() - begin) / len(batch)
        spent |= dict.fromkeys(names, seconds)
        write_json(spent_file, spent)
    return earlier


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
