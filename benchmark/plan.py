"""RunConfig -> cells, each with a key that hashes everything its outcome depends on.

Planning reads facts and checksums only: it opens no photo, and imports a method (and torch with
it) only when the run has not resolved the same settings before, see `Resolved`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmark.atomic import digest
from benchmark.backbones import Backbone, open_backbone
from benchmark.config import MethodEntry, RunConfig
from benchmark.encoder_sources import encoder_revision, source_of, text_encoder_names
from benchmark.errors import DamagedPhotoError, UserError, plugin_code
from benchmark.method_settings import method_settings
from benchmark.plugins import refuse_taken
from benchmark.subjects import PHOTOS, Dataset, Prompt, SubjectFacts, open_dataset, unknown
from benchmark.together import (
    check_together,
    facts_together,
    parts,
    split_together,
    subject_together,
)

OUTCOME_VERSION = 2
"""Raised when a change of the harness changes pictures or scores; it is part of every key."""


@dataclass(frozen=True)
class Cell:
    """One (method, backbone, subject, split, training seed): everything its outcome depends on."""

    method: str
    preset: str
    settings: Mapping[str, Any]
    """Every field of the method's settings, presets and overrides applied."""
    code_version: str
    backbone: str
    backbone_revision: str
    dataset: str
    split: str
    subject: str
    class_noun: str
    descriptor: str
    live: bool
    seen: Mapping[str, str]
    """Training photos: name -> SHA-256."""
    unseen: Mapping[str, str]
    """Held-out photos: name -> SHA-256."""
    train_seed: int
    compute: Mapping[str, Any]
    """Fields of `textboost.Compute` but for the device: precision, attention, ..."""
    prior: Mapping[str, Any]
    """How prior images are sampled: steps, guidance_scale, sampler."""
    resolution: int
    captions: str
    """Checksum of the general captions that training may draw on."""
    prompts: Mapping[str, str]
    """Id -> template, in the order in which pictures are made."""
    seeds: Sequence[int]
    steps: int
    guidance_scale: float
    sampler: str
    metrics: Mapping[str, str]
    """Name -> version of its code."""
    image_encoders: Mapping[str, str]
    """Name -> revision."""
    text_encoders: Mapping[str, str]
    protocol_name: str | None = None
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Photos of other subjects, "dog6/05.jpg" -> SHA-256; only where a metric looks at them."""
    probes: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    """What metrics want made without the subject: kind -> prompt -> number of pictures."""
    outcome_version: int = OUTCOME_VERSION

    @cached_property
    def key(self) -> str:
        """16 hex digits over all fields."""
        return cell_key(self.to_json())

    @property
    def label(self) -> str:
        """For people: method, preset where it is not the paper's, subject, training seed."""
        preset = "" if self.preset == "paper" else f" ({self.preset})"
        return f"{self.method}{preset} · {self.subject} · seed {self.train_seed}"

    @property
    def protocol(self) -> str:
        """The protocol's name, or how the pictures were sampled, in one word of the tables."""
        return self.protocol_name or f"{self.sampler}/{self.steps}/{self.guidance_scale:g}"

    def to_json(self) -> dict[str, Any]:
        """The fields; tables in it are the cell's own, not copies."""
        # Not `dataclasses.asdict`, which copies every prompt and checksum of every cell.
        return {name: getattr(self, name) for name in _FIELDS}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Cell:
        """The cell that `to_json` wrote. TypeError where a field is missing or unknown."""
        return Cell(**content)


_FIELDS = tuple(field.name for field in dataclasses.fields(Cell))

LATER = ("protocol_name", "others", "probes")


def cell_key(content: Mapping[str, Any]) -> str:
    """The key of a cell from `Cell.to_json`, of this version or an earlier one.

    A field that came later does not count while it is empty: runs from before keep their keys.
    """
    return digest({k: v for k, v in content.items() if v or k not in LATER}, 16)


Resolved = MutableMapping[str, dict[str, Any]]
"""What `plan` found out from method classes, by a hash of what it asked: kept in the run's folder,
it lets a second plan of the same run do without importing them."""


def plan(config: RunConfig, resolved: Resolved | None = None) -> list[Cell]:
    """All cells of a run, subject by subject. UserError for any name that does not exist."""
    from benchmark.metrics import needs
    from benchmark.probes import probe_prompts

    resolved = {} if resolved is None else resolved
    backbone = open_backbone(config.backbone)
    dataset = dataset_of(config)
    split = split_of(config, dataset)
    subjects = [facts_together(dataset, name) for name in subjects_of_run(config, dataset, split)]
    metrics, image_encoders, text_encoders = scoring_versions(config)
    methods = [_method(entry, config, resolved) for entry in _distinct(config.methods)]
    prompts = {live: prompts_of(config, dataset, live) for live in {s.live for s in subjects}}
    compute = config.training.model_dump(exclude={"steps", "resolution"})
    captions = digest(list(backbone.captions()), 12)
    needed = needs(metrics)
    seeds, prior = list(config.generation.seeds), config.prior.model_dump()
    templates = {
        live: {prompt.id: prompt.template for prompt in chosen} for live, chosen in prompts.items()
    }
    # Made once for all cells that have them: there may be ten thousand.
    photos = {facts.name: _photos(facts, split) for facts in subjects}
    others = {
        facts.name: other_checksums(dataset, config.split, facts.name) if "others" in needed else {}
        for facts in subjects
    }
    probes = {facts.name: probe_prompts(needed, facts.class_noun) for facts in subjects}
    return [
        Cell(
            method=entry.name,
            preset=entry.preset,
            settings=answer["settings"],
            code_version=answer["code_version"],
            backbone=config.backbone,
            backbone_revision=backbone.revision,
            dataset=dataset.name,
            split=config.split,
            subject=facts.name,
            class_noun=facts.class_noun,
            descriptor=facts.descriptor,
            live=facts.live,
            seen=photos[facts.name][0],
            unseen=photos[facts.name][1],
            train_seed=train_seed,
            compute=compute,
            prior=prior,
            resolution=config.training.resolution or backbone.resolution,
            captions=captions,
            prompts=templates[facts.live],
            seeds=seeds,
            steps=config.generation.steps,
            guidance_scale=config.generation.guidance_scale,
            sampler=config.generation.sampler,
            metrics=metrics,
            image_encoders=image_encoders,
            text_encoders=text_encoders,
            protocol_name=config.protocol,
            others=others[facts.name],
            probes=probes[facts.name],
        )
        for train_seed in config.train_seeds
        for facts in subjects
        for entry, answer in methods
    ]


def dataset_of(config: RunConfig) -> Dataset:
    """The run's data set; UserError when there is none of that name, or its photos are no photos.

    A folder of the user's own photos is looked through, and what is found in it is kept for
    workers in the cache folder.
    """
    if config.dataset == PHOTOS:
        if config.photos is None:
            raise UserError(
                'dataset = "photos" needs a [photos] table with folder and class_noun, or '
                "--photos DIR --class-noun NOUN"
            )
        from benchmark.own_photos import register

        return register(config.photos)
    if config.photos is not None:
        raise UserError(
            f'photos: the table goes with dataset = "photos", not {config.dataset!r}; '
            "change one of them"
        )
    return open_dataset(config.dataset)


def check_ready(cells: Sequence[Cell]) -> None:
    """UserError when none of these cells has the photos that it needs, or a metric is broken.

    Where a damaged photo hits some cells only, those fail and the others are done.
    """
    from benchmark.metrics import check_metric

    named = dict.fromkeys(name for cell in cells for name in cell.metrics)
    for name in named:
        with plugin_code("metric", name):
            check_metric(name, named)
    shown = [dict.fromkeys((cell.dataset, name) for name in subjects_of(cell)) for cell in cells]
    damaged: dict[tuple[str, str], DamagedPhotoError] = {}
    for name, subject in dict.fromkeys(pair for pairs in shown for pair in pairs):
        try:
            subject_together(open_dataset(name), subject)
        except DamagedPhotoError as error:
            damaged[name, subject] = error
    if damaged and all(any(pair in damaged for pair in pairs) for pairs in shown):
        raise next(iter(damaged.values()))


def subjects_of(cell: Cell) -> list[str]:
    """The subjects whose photos the cell looks at: its own first, then those a metric needs."""
    return list(dict.fromkeys([cell.subject, *(n.partition("/")[0] for n in cell.others)]))


def backbone_of(cell: Cell) -> Backbone:
    """The backbone the cell was planned for; UserError when its files have changed since."""
    backbone = open_backbone(cell.backbone)
    if backbone.revision != cell.backbone_revision:
        raise UserError(
            f"backbone {cell.backbone!r} changed while the run was going: revision "
            f"{backbone.revision}, planned {cell.backbone_revision}; start the run again"
        )
    return backbone


def _method(
    entry: MethodEntry, config: RunConfig, resolved: Resolved
) -> tuple[MethodEntry, dict[str, Any]]:
    """The entry with its settings and code version, from `resolved` where it is known there."""
    from methods import code_version, get_method, method_names

    if entry.name not in method_names():
        raise UserError(unknown("method", entry.name, method_names()))
    refuse_taken("method", entry.name)
    steps = config.training.steps
    with plugin_code("method", entry.name):
        version = code_version(entry.name)
        question = digest([version, entry.model_dump(mode="json"), steps])
        if question not in resolved:
            settings = method_settings(entry, steps)
            resolved[question] = {
                "settings": json.loads(json.dumps(dataclasses.asdict(settings))),
                "code_version": version,
                "toy_only": get_method(entry.name).toy_only,
                "several_concepts": get_method(entry.name).several_concepts,
            }
    if resolved[question]["toy_only"] and config.dataset != "toyworld":
        raise UserError(
            f"method {entry.name!r} needs a data set that can draw the right answer (toyworld), "
            f"not {config.dataset!r}; leave the method out"
        )
    together = [name for name in config.subjects if len(parts(name)) > 1]
    if together and not resolved[question]["several_concepts"]:
        raise UserError(
            f"method {entry.name!r} learns one subject at a time, not {together[0]!r}; leave the "
            "method out"
        )
    return entry, resolved[question]


def _distinct(entries: Sequence[MethodEntry]) -> Sequence[MethodEntry]:
    """The entries; UserError when result tables could not tell two of them apart."""
    seen = set()
    for entry in entries:
        if (entry.name, entry.preset) in seen:
            raise UserError(
                f"methods: {entry.name!r} with preset {entry.preset!r} is listed twice; use "
                "another preset, or a run of its own"
            )
        seen.add((entry.name, entry.preset))
    return entries


def split_of(config: RunConfig, dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """Subject -> training photos, by the run's split; UserError when there is none of its name."""
    if config.split not in dataset.split_names():
        where = f" of {config.dataset}"
        raise UserError(unknown("split", config.split, dataset.split_names(), where))
    return dataset.split(config.split)


def subjects_of_run(
    config: RunConfig, dataset: Dataset, split: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """The run's subjects, those of the whole split where it says "all"; UserError as `split_of`."""
    known = [name for name in dataset.subject_names() if name in split]
    for name in config.subjects:
        for part in parts(name):
            if part not in known:
                raise UserError(unknown("subject", part, known, f" of {config.dataset}"))
    check_together(config.subjects)
    return list(config.subjects) or known


def prompts_of(config: RunConfig, dataset: Dataset, live: bool) -> list[Prompt]:
    """The chosen prompts that exist for this kind of subject, in the data set's order."""
    mine = dataset.prompts(live)
    known = {prompt.id for prompt in [*mine, *dataset.prompts(not live)]}
    for id in config.prompts:
        if id not in known:
            raise UserError(unknown("prompt", id, sorted(known), f" of {config.dataset}"))
    chosen = [prompt for prompt in mine if not config.prompts or prompt.id in config.prompts]
    if not chosen:
        kind = "live subjects" if live else "objects"
        ids = ", ".join(prompt.id for prompt in mine)
        raise UserError(f"prompts: none of the chosen ones is for {kind}; add one of {ids}")
    return chosen


def other_checksums(dataset: Dataset, split: str, subject: str) -> dict[str, str]:
    """Photos of all other subjects of the split, "dog6/05.jpg" -> SHA-256."""
    return {
        f"{name}/{photo}": sha
        for name in dataset.split(split)
        if name not in parts(subject)
        for photo, sha in dataset.facts(name).checksums.items()
    }


def _photos(
    facts: SubjectFacts, split: dict[str, tuple[str, ...]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Training photos and all others, name -> SHA-256; told apart by checksum, so that no copy of
    a training photo slips in."""
    seen = {name: facts.checksums[name] for name in split_together(split, facts.name)}
    taken = set(seen.values())
    return seen, {name: sha for name, sha in facts.checksums.items() if sha not in taken}


def scoring_versions(config: RunConfig) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Metrics, image encoders and text encoders of a run: name -> version or revision.

    UserError for a name that does not exist, or an encoder whose weights cannot be had.
    """
    from benchmark.metrics import metric_names, metric_version

    chosen = config.scoring
    for name in chosen.metrics:
        if name not in metric_names():
            raise UserError(unknown("metric", name, metric_names()))
        refuse_taken("metric", name)
    for name in chosen.text_encoders:
        if not source_of(name).has_text:
            raise UserError(
                f"scoring.text_encoders: {name!r} knows no text; one of: "
                f"{', '.join(text_encoder_names())}"
            )
    images, texts = (
        {name: encoder_revision(name) for name in names}
        for names in (chosen.image_encoders, chosen.text_encoders)
    )
    metrics = {}
    for name in chosen.metrics:
        with plugin_code("metric", name):
            metrics[name] = metric_version(name)
    return metrics, images, texts
