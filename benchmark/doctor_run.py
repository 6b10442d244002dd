"""Is this machine ready for one run? What `tbbench doctor RUN` looks at, one finding a line.

It is asked by the run's own checks: everything that a run does before its first training,
downloads included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.config import RunConfig
from benchmark.doctor import NOTE, OK, PROBLEM, Finding, devices, disk
from benchmark.errors import DamagedPhotoError, UserError, plugin_code


def ready(config: RunConfig) -> Iterator[Finding]:
    """What the run needs, all of it; what is not there is downloaded now. The plan comes last, and
    only where nothing else is wrong."""
    checks: list[tuple[str, Callable[[RunConfig], Iterator[Finding]]]] = [
        ("device", _device),
        ("photos", _photos),
        ("weights", _weights),
        ("metrics", _metrics),
    ]
    space = disk("runs", Path.cwd())
    if space.fix:
        says = f"`tbbench run {config.name} --dry-run` says how much this run takes"
        space = replace(space, fix=says)
    found = [space]
    yield found[0]
    for what, check in checks:
        for finding in _or_problem(what, check, config):
            found.append(finding)
            yield finding
    if all(finding.level != PROBLEM for finding in found):
        yield from _or_problem(f"run {config.name}", _plan, config)


def _or_problem(
    what: str, check: Callable[[RunConfig], Iterator[Finding]], config: RunConfig
) -> Iterator[Finding]:
    try:
        yield from check(config)
    except UserError as error:
        yield _problem(what, error)


def _problem(what: str, error: UserError) -> Finding:
    # Our lines end with what to do, behind the last semicolon.
    wrong, _, fix = str(error).rpartition("; ")
    fix = fix if wrong else "see to that, then ask again"
    return Finding(PROBLEM, what, wrong or str(error), fix)


def _device(config: RunConfig) -> Iterator[Finding]:
    from benchmark.accelerate_choice import accelerate_device
    from benchmark.backbones.hub import HUB, HUB_ID
    from benchmark.executors.local import choose_devices

    execution = config.execution
    device = accelerate_device(execution.device)
    chosen = choose_devices(device, execution.workers, execution.threads)
    big = config.backbone in HUB or HUB_ID.fullmatch(config.backbone)
    if big and set(chosen) == {"cpu"}:
        fix = devices().fix or "leave out --device, and the run takes the GPU"
        yield Finding(NOTE, "device", f"CPU alone, and {config.backbone} wants a GPU", fix)
    else:
        yield Finding(OK, "device", ", ".join(chosen))


def _photos(config: RunConfig) -> Iterator[Finding]:
    from benchmark.plan import dataset_of, split_of, subjects_of_run
    from benchmark.together import subject_together

    dataset = dataset_of(config)
    names = subjects_of_run(config, dataset, split_of(config, dataset))
    damaged = []
    for name in names:
        try:
            subject_together(dataset, name)
        except DamagedPhotoError as error:
            damaged.append(error)
    if not damaged:
        yield Finding(OK, "photos", f"{len(names)} subjects of {config.dataset}")
        return
    found = _problem(f"photos of {len(damaged)} of {len(names)} subjects", damaged[0])
    # Those that are whole can be done.
    yield replace(found, level=PROBLEM if len(damaged) == len(names) else NOTE)


def _weights(config: RunConfig) -> Iterator[Finding]:
    from benchmark.backbones import open_backbone
    from benchmark.encoder_sources import encoder_revision

    opened: dict[str, Callable[[], object]] = {
        f"backbone {config.backbone!r}": partial(open_backbone, config.backbone)
    }
    for name in (*config.scoring.image_encoders, *config.scoring.text_encoders):
        opened[f"encoder {name!r}"] = partial(encoder_revision, name)
    for what, open_ in opened.items():
        try:
            open_()
            yield Finding(OK, "weights", what)
        except UserError as error:
            yield _problem("weights", error)


def _metrics(config: RunConfig) -> Iterator[Finding]:
    from benchmark.metrics import check_metric

    for name in config.scoring.metrics:
        with plugin_code("metric", name):
            check_metric(name, config.scoring.metrics)
    yield Finding(OK, "metrics", ", ".join(config.scoring.metrics))


def _plan(config: RunConfig) -> Iterator[Finding]:
    from benchmark.disk import check_space, known_checkpoints
    from benchmark.plan import check_ready, plan
    from benchmark.store import cell_folder

    cells = plan(config)
    check_ready(cells)
    folder = Path("runs") / config.name
    missing = [cell for cell in cells if not cell_folder(folder, cell.key).done()]
    check_space(folder, missing, known_checkpoints(folder, cells))
    yield Finding(OK, "plan", f"{len(cells)} cells, {config.backbone} on {config.dataset}")
