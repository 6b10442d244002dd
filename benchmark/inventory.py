"""What can be named as a metric or a backbone, and where each comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getdoc

from benchmark.backbones import NAMED, backbone_names, plugin_origins
from benchmark.backbones.blank import BLANK
from benchmark.backbones.hub import HUB
from benchmark.errors import UserError, plugin_code
from benchmark.metrics import get_metric, metric_names, own_metric_names

OURS = "this project's"
NOT_SAID = "no source given"
PAPER = re.compile(r"arXiv \d{4}\.\d{4,5}")


@dataclass(frozen=True)
class MetricEntry:
    """One metric. emits: value of the column `metric` -> `higher`, `lower` or `reference`."""

    name: str
    what: str
    """The question that it answers, the first line of its file."""
    source: str
    """The papers that its file names, and whether the measure is this project's."""
    kind: str
    emits: dict[str, str]
    caveat: str
    plugin: str | None
    """The module, where an installed package brings it."""


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone. resolution: side in pixels of its pictures, None where it is not known."""

    name: str
    what: str
    source: str
    resolution: int | None
    plugin: str | None
    """The entry point, where an installed package brings it. It is not imported."""


def metrics(broken: list[str]) -> Iterator[MetricEntry]:
    """All metrics by name. What an installed package brings and does not load is told in `broken`,
    a line each."""
    for name in metric_names():
        try:
            with plugin_code("metric", name):
                entry = _metric(name)
        except UserError as error:
            broken.append(str(error))
        else:
            yield entry


def _metric(name: str) -> MetricEntry:
    module = get_metric(name)
    told = getdoc(module) or ""
    return MetricEntry(
        name=name,
        what=told.partition("\n")[0],
        source=source_in(" ".join(told.split())),
        kind=module.KIND,
        emits=dict(module.EMITS),
        caveat=getattr(module, "CAVEAT", ""),
        plugin=None if name in own_metric_names() else getattr(module, "__name__", ""),
    )


def source_in(text: str) -> str:
    """The papers that a text names, each once, and `OURS` where it says so; else `NOT_SAID`."""
    found = list(dict.fromkeys(PAPER.findall(text)))
    if OURS in text:
        found.append(OURS)
    return ", ".join(found) or NOT_SAID


def backbones() -> Iterator[BackboneEntry]:
    """All backbones that have a name. Nothing is fetched, built or imported for it."""
    plugins = plugin_origins()
    for name in backbone_names():
        if name in HUB:
            model = HUB[name]
            source = f"{model.repo}@{model.revision[:12]}"
            yield BackboneEntry(name, model.title, source, model.resolution, None)
        elif name in BLANK:
            model_of = BLANK[name]
            what = f"random weights in the architecture of {model_of.title}: its pictures are noise"
            yield BackboneEntry(name, what, OURS, model_of.resolution, None)
        elif name in NAMED:
            opened = NAMED[name]()
            yield BackboneEntry(name, opened.note, OURS, opened.resolution, None)
        else:
            origin = plugins[name]
            yield BackboneEntry(name, "an installed package's", origin, None, origin)
