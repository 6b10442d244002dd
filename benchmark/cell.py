"""What a worker does for one cell, stage by stage.

load, prepare, train, save: on a pipeline of its own, skipped when a whole checkpoint is there.
reload, generate, probe, score: always from the checkpoint on a fresh pipeline, so that a cell that
was interrupted gives the same pictures as one that was not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.atomic import checksums, files_under, new_folder, read_record, write_json
from benchmark.cell_pictures import make_pictures, make_probes
from benchmark.devices import Device, open_device
from benchmark.failures import (
    START,
    failed_meanwhile,
    kind_of,
    log_tail,
    redacted,
    writable,
)
from benchmark.generate import Sampling, seed_everything
from benchmark.measure import Cost, Stage, step_costs
from benchmark.method_checked import (
    check_saved,
    check_torch,
    check_training,
    torch_state,
)
from benchmark.owner import OwnerLostError, confirm
from benchmark.pictures import flags_of
from benchmark.plan import Cell, backbone_of, subjects_of
from benchmark.prior import PriorImages
from benchmark.records import read_intact, write_sealed
from benchmark.scoring import score_pictures
from benchmark.store import CellFolder, cell_folder
from benchmark.subjects import Dataset, Prompt, Subject, open_dataset
from benchmark.together import parts, subject_together
from textboost.compute import Compute

if TYPE_CHECKING:
    from PIL import Image

    from methods import Method, Task
    from methods.interface import Companion


@dataclass(frozen=True)
class Circumstances:
    """What the outcome does not depend on."""

    device: str = "cpu"
    generation_batch: int = 8
    scoring_batch: int = 32
    start_seconds: float = 0.0
    """From asking for the worker's process until it began with the cell."""
    attempts: int | None = None
    """See `Job.attempts`. None: the cell is tried whatever has become of it."""
    on_record: Callable[[], str | None] = lambda: None
    """Puts the machine and the software on record and gives their `environment.identity`."""
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
    torch: Mapping[str, Any]
    """`torch_state` before anything of the cell ran."""

    def stage(self, name: str) -> Stage:
        """The stage's clock; python, numpy and torch are seeded for it.

        OwnerLostError when another process has taken the cell over, MethodError when the stage
        before left torch's switches otherwise than it found them.
        """
        confirm(self.folder.path)
        check_torch(self.cell.method, self.circumstances.device, self.torch)
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
    stage = START

    def report(name: str, done: int, total: int) -> None:
        nonlocal stage
        stage = name
        circumstances.report(name, done, total)

    with folder.lock():
        state = folder.state()
        if state["status"] == "done":
            return True
        if failed_meanwhile(state, circumstances.attempts):
            return False
        try:
            folder.begin(cell)
            bench = set_up(folder, cell, dataclasses.replace(circumstances, report=report))
            costs = train_stages(bench) if bench.method.trains else []
            of_images, flags = image_stages(run, bench)
            costs += of_images
            write_json(folder.path / "cost.json", [dataclasses.asdict(cost) for cost in costs])
            check_torch(cell.method, circumstances.device, bench.torch)
            folder.finish(cell, flags, environments(bench))
        except OwnerLostError:
            raise  # nothing may be written any more, not even that
        except Exception as error:
            print(redacted(writable(traceback.format_exc())), file=sys.stderr, flush=True)
            folder.fail(cell, kind_of(error), str(error), stage, log_tail(folder.log))
            return False
        return True


def environments(bench: Bench) -> set[str]:
    """What the machines and the software are called that all of the cell comes from: the training
    and some pictures may be left of earlier attempts."""
    trained = read_record(bench.folder.path / "checkpoint.json").get("environment")
    drawn = read_record(bench.folder.path / "generate.json").get("environments") or []
    return {name for name in (trained, *drawn, bench.circumstances.on_record()) if name}


def set_up(folder: CellFolder, cell: Cell, circumstances: Circumstances) -> Bench:
    """Opens everything by name. UserError when a photo or the backbone is not the planned one,
    ChangedCodeError when the method or a metric is not."""
    from benchmark.loaded_code import check_code
    from methods import Task, get_method

    check_code(cell)
    dataset = open_dataset(cell.dataset)
    # All of them now: a photo that only the scores need must not cost a training first.
    subject, *_ = [subject_together(dataset, name) for name in subjects_of(cell)]
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
        torch=torch_state(circumstances.device),
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
    manifest = read_intact(bench.folder.path / "checkpoint.json")
    mine = bool(manifest) and manifest.get("key", bench.cell.key) == bench.cell.key
    whole = mine and checksums(bench.folder.checkpoint) == manifest.get("files")
    # Losses are of the same training: where they were lost, it is the only way to have them again.
    if whole and read_intact(bench.folder.path / "losses.json"):
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
        check_training(bench.cell.method, result)
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
        check_saved(bench.cell.method, fresh)
        size = sum((fresh / file).stat().st_size for file in files_under(fresh))
        save.add("checkpoint_bytes", size, "B", "exact")
        # For people; nothing of it is needed to have the model again. A plug-in may not have one.
        with contextlib.suppress(NotImplementedError):
            model_card.write(method, pipe, task, settings, fresh)
    costs = [cost for stage in (load, prepare, train, save) for cost in stage.costs]
    content = {
        "key": bench.cell.key,
        "files": checksums(bench.folder.checkpoint),
        "costs": [dataclasses.asdict(cost) for cost in costs],
        "environment": bench.circumstances.on_record(),
    }
    write_sealed(bench.folder.path / "checkpoint.json", content)
    return costs


def image_stages(run: Path, bench: Bench) -> tuple[list[Cost], dict[str, Any]]:
    """reload (load, for a method that does not train), generate, probe where asked, and score.

    Returns their costs, and the flags of the pictures: see `CellFolder.finish`.
    """
    gc.collect()
    method, task = bench.method, bench.task
    with bench.stage("reload" if method.trains else "load") as load:
        pipe = backbone_of(bench.cell).load(task.compute.device, task.compute.precision)
        if method.trains:
            method.load(pipe, task, bench.settings, bench.folder.checkpoint)
        else:
            load.add("start_seconds", bench.circumstances.start_seconds, "s")
    environment = bench.circumstances.on_record()
    with bench.stage("generate") as generate:
        plain = make_pictures(bench, pipe, generate, environment)
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
    return [*costs, *score.costs], flags_of(plain)
