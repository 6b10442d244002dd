"""A run directory of ours: its pictures are scored again, with other metrics or encoders."""

from __future__ import annotations

from pathlib import Path

from benchmark.any_pictures.records import Problem, Reading, Record, Target, stray, visible
from benchmark.atomic import checksum
from benchmark.errors import UserError
from benchmark.plan import Cell
from benchmark.store import Run
from benchmark.subjects import DATASET_NAMES, Subject, open_dataset
from benchmark.together import subject_together


def fits(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "config.toml").is_file() or (folder / "plan.json").is_file()


def read(folder: Path, renamed: str | None) -> Reading:
    """Every picture of every planned cell that is done. A target is what one cell should have made.

    `renamed` takes the place of the method's name. UserError for a folder that holds no whole run,
    and for a new name where the run has several methods.
    """
    run = Run.open(folder)
    methods = dict.fromkeys(cell.method for cell in run.planned)
    if renamed is not None and len(methods) != 1:
        raise UserError(
            f"{folder} is a run of {len(methods)} methods ({', '.join(methods)}), which --method "
            f"{renamed} cannot all be called; give the folder without a name"
        )
    reading = Reading("run", folder, targets={})
    reading.backbone_note = str(run.about.get("backbone_note") or "")
    assert reading.targets is not None
    for cell in run.planned:
        method = cell.method if renamed is None else renamed
        reading.targets[cell.key] = _target(cell, method)
        cell_folder = run.folder(cell.key)
        if not cell_folder.done():
            where = f"cells/{cell.key}"
            what = "its pictures may be of several attempts; finish the run"
            reading.problems.append(Problem("unfinished", what, where, method, cell.subject))
            continue
        wanted = {
            cell_folder.image(id, seed): (id, seed) for id in cell.prompts for seed in cell.seeds
        }
        sums = run.picture_sums(cell.key)
        for file in visible(cell_folder.images) if cell_folder.images.is_dir() else []:
            if file not in wanted:
                reading.problems.append(stray(file, folder, method, "the planned pictures alone"))
                continue
            id, seed = wanted[file]
            where = file.relative_to(folder).as_posix()
            if sums.get(file.name, found := checksum(file)) != found:
                what = "another checksum than in cell.json"
                about = {"where": where, "method": method, "subject": cell.subject, "prompt": id}
                reading.problems.append(Problem("altered", what, **about, seed=seed))
                continue
            reading.records.append(Record(file, where, method, cell.key, id, "id", seed))
    return reading


def _target(cell: Cell, method: str) -> Target:
    from dataclasses import replace

    return Target(
        subject=cell.subject,
        class_noun=cell.class_noun,
        descriptor=cell.descriptor,
        live=cell.live,
        dataset=cell.dataset,
        split=cell.split,
        prompts=cell.prompts,
        seen=cell.seen,
        unseen=cell.unseen,
        photos=lambda: _photos(cell),
        seeds=tuple(cell.seeds),
        cell=replace(cell, method=method),
    )


def _photos(cell: Cell) -> Subject:
    """The subject with the very photos of the cell."""
    if cell.dataset not in DATASET_NAMES:
        raise UserError(
            f"{cell.subject}: a run keeps no full-size photos of {cell.dataset}; score the folder "
            "that the run was made from"
        )
    subject = subject_together(open_dataset(cell.dataset), cell.subject)
    for name, sha256 in {**cell.seen, **cell.unseen}.items():
        if subject.photo(name).sha256 != sha256:
            raise UserError(
                f"photo {name} of {cell.subject} in {cell.dataset} is another one than in the run; "
                "start the run again"
            )
    return subject
