"""Scores of generated images. One metric is one file in this folder, found by its name.

A metric's file holds

- `KIND`: `"image"` when it needs image embeddings alone, `"text"` when it needs prompts as well,
  `"pixels"` when it looks at the pictures with a network of its own, named by `ENCODER`, `"model"`
  when it looks at the trained model's text encoders, called `ENCODER` too;
- `EMITS`: every value of the column `metric` it writes -> `"higher"` or `"lower"`, whichever is
  better, or `"reference"` for a yardstick such as the score of real photos;
- `CAVEAT`, if it ranks wrongly where the truth is known: one sentence that reports repeat;
- `NEEDS`, if it wants more in its evidence than pictures, photos and prompts: a tuple of `others`
  (other subjects' photos), `augmented` (changed copies of the training photos), `class` and `drift`
  (what the trained model makes without the subject, see `benchmark/probes.py`);
- `check()`, if it needs something that may be missing: raises UserError before any training;
- `score(evidence)`: a pure function that returns a frame with `SCORE_COLUMNS`; for `"pixels"`
  `score(rows, images, device)`, with a row for every picture, for `"model"` `score(probed)`.

A package outside this project adds a metric through an entry point in the group
`tbbench.metrics` that names such a module.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast

from benchmark.errors import UserError
from benchmark.subjects import unknown
from methods.versions import plugin_version, version_of

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.metrics.encoders import Picture
    from benchmark.metrics.evidence import Evidence
    from benchmark.metrics.probed import Probed

ENTRY_POINTS = "tbbench.metrics"
NOT_METRICS = frozenset({"augmented", "encoders", "evidence", "probed"})
PROBES = frozenset({"class", "drift"})


class Metric(Protocol):
    """What a metric's module offers."""

    KIND: str
    EMITS: dict[str, str]

    def score(self, evidence: Evidence) -> pd.DataFrame:
        """A frame with `SCORE_COLUMNS` from the embeddings of one cell."""


class PixelMetric(Protocol):
    """What the module of a metric offers whose `KIND` is `pixels`."""

    KIND: str
    EMITS: dict[str, str]
    ENCODER: str

    def score(self, rows: pd.DataFrame, images: Sequence[Picture], device: str) -> pd.DataFrame:
        """A frame with `SCORE_COLUMNS`. rows: as in `Evidence`, one for each of the images."""


class ModelMetric(Protocol):
    """What the module of a metric offers whose `KIND` is `model`."""

    KIND: str
    EMITS: dict[str, str]
    ENCODER: str

    def score(self, probed: Probed) -> pd.DataFrame:
        """A frame with `SCORE_COLUMNS` from what the trained and untouched encoders say."""


def metric_names() -> list[str]:
    """Names of all metrics, our own and those of installed packages, sorted. Imports none."""
    return sorted(_modules())


def get_metric(name: str) -> Metric:
    """The metric's module; UserError with the nearest spelling when there is none."""
    # Asking what packages are installed takes longer than many a metric does.
    own = _own_modules()
    modules = own if name in own else _modules()
    if name not in modules:
        raise UserError(unknown("metric", name, sorted(modules)))
    return cast(Metric, import_module(modules[name]))


def check_metric(name: str, together: Collection[str] = ()) -> None:
    """UserError when the metric does not exist, writes what one of ours or of those that are asked
    for `together` with it writes, or lacks a package or weights that it needs.

    May download the weights.
    """
    metric = get_metric(name)
    own = own_metric_names()
    if name not in own:
        for other in sorted({*own, *together} - {name}):
            if taken := sorted(metric.EMITS.keys() & get_metric(other).EMITS.keys()):
                ours = "our " if other in own else ""
                raise UserError(
                    f"metric {name!r} writes {taken[0]!r} as {ours}metric {other!r} does, and "
                    "nobody could tell them apart; its package must call it otherwise"
                )
    check = getattr(metric, "check", None)
    if check is not None:
        check()


def needs(names: Iterable[str]) -> set[str]:
    """What the metrics want beyond pictures, photos and prompts: the union of their `NEEDS`."""
    return {need for name in names for need in getattr(get_metric(name), "NEEDS", ())}


def metric_version(name: str) -> str:
    """12 hex digits that change when the code of the metric, or what it shares, changes."""
    own = _own_modules()
    if name in own:
        return version_of(own[name], (__name__,))
    return plugin_version(_plugins()[name], (__name__,))


def directions() -> dict[str, str]:
    """Every value of the column `metric` -> `higher`, `lower` or `reference`.

    A package's metric that does not load has none: it may be no business of the run at hand. Nor
    has what two packages write and take for better in unlike ways.
    """
    own: dict[str, str] = {}
    theirs: dict[str, set[str]] = {}
    mine = _own_modules()
    for name, module in _modules().items():
        ours = name in mine
        with nullcontext() if ours else suppress(Exception):
            emits = cast(Metric, import_module(module)).EMITS
            for value, better in emits.items():
                theirs.setdefault(value, set()).add(better)
            own |= emits if ours else {}
    return {value: better for value, (better, *others) in theirs.items() if not others} | own


def caveats() -> dict[str, str]:
    """Every value of the column `metric` that comes with a warning -> the warning."""
    found: dict[str, str] = {}
    for module in _modules().values():
        with nullcontext() if module.startswith(f"{__name__}.") else suppress(Exception):
            metric = import_module(module)
            if caveat := getattr(metric, "CAVEAT", ""):
                found |= dict.fromkeys(metric.EMITS, caveat)
    return found


def score_images(
    rows: pd.DataFrame,
    images: Sequence[Picture],
    prompts_text: Sequence[str],
    seen: Sequence[Picture],
    unseen: Sequence[Picture],
    metrics: Sequence[str],
    image_encoders: Sequence[str],
    text_encoders: Sequence[str],
    batch_size: int = 32,
    device: str = "cpu",
    others: Sequence[Picture] = (),
    probed: Probed | None = None,
) -> pd.DataFrame:
    """Score the images of one cell with every metric and every encoder it can use.

    `rows` describes the n images or files of images, in order: prompt_id, prompt, seed, image.
    `prompts_text` holds for each the prompt with the class noun alone, the text that alignment is
    measured against. `seen` are the training photos, `unseen` the held-out ones, perhaps none; a
    score without evidence has no row. `others` are other subjects' photos and `probed` is what
    the trained model made without the subject, for metrics that need it. Image metrics run once per
    image encoder, text metrics once per text encoder, those of pixels and of the model once.
    Returns `SCORE_COLUMNS` and the column `encoder`. Raises UserError for an unknown metric or
    encoder, ValueError for lists of unlike length, and `MetricError` of
    `benchmark.metrics_checked` for a metric that gives something else than it says.
    """
    import pandas as pd

    from benchmark.metrics.augmented import changed
    from benchmark.metrics.encoders import decoded, open_encoder, picture_digests
    from benchmark.metrics.evidence import SCORE_COLUMNS, Pictures, collect
    from benchmark.metrics.probed import Probed
    from benchmark.metrics_checked import checked

    if not len(rows) == len(images) == len(prompts_text):
        raise ValueError(
            f"{len(rows)} rows, {len(images)} images and {len(prompts_text)} prompts: one each"
        )
    modules = {name: get_metric(name) for name in metrics}
    wanted = {"image": list(image_encoders), "text": list(text_encoders)}
    needed = needs(metrics)
    probed = probed or Probed()
    pictures = Pictures(
        images,
        seen,
        unseen,
        others if "others" in needed else (),
        changed([decoded(photo) for photo in seen]) if "augmented" in needed else {},
        {kind: two for kind, two in probed.pictures.items() if kind in needed},
    )
    everything = pictures.all()
    digests = dict(zip(map(id, everything), picture_digests(everything), strict=True))
    parts = []

    def add(name: str, scores: pd.DataFrame, encoder: str) -> None:
        part = checked(name, modules[name].EMITS, scores, rows)
        parts.append(part.assign(encoder=encoder))

    for metric, module in modules.items():
        if module.KIND == "pixels":
            pixel = cast(PixelMetric, module)
            add(metric, pixel.score(rows.reset_index(drop=True), images, device), pixel.ENCODER)
        elif module.KIND == "model":
            model = cast(ModelMetric, module)
            add(metric, model.score(probed), model.ENCODER)
    for name in dict.fromkeys([*image_encoders, *text_encoders]):
        due = [one for one, module in modules.items() if name in wanted.get(module.KIND, ())]
        if not due:
            continue
        needs_text = any(modules[one].KIND == "text" for one in due)
        evidence = collect(
            open_encoder(name, device),
            rows,
            pictures,
            prompts_text if needs_text else None,
            batch_size,
            digests,
        )
        for one in due:
            add(one, modules[one].score(evidence), name)
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=[*SCORE_COLUMNS, "encoder"])
    return pd.concat(filled, ignore_index=True)


def own_metric_names() -> list[str]:
    """The metrics of this package alone, sorted by name."""
    return sorted(_own_modules())


def _own_modules() -> dict[str, str]:
    return {
        found.name.replace("_", "-"): f"{__name__}.{found.name}"
        for found in pkgutil.iter_modules(__path__)
        if found.name not in NOT_METRICS
    }


def _modules() -> dict[str, str]:
    """Metric name -> module that holds it. A file's name is the metric's, with - for _."""
    own = _own_modules()
    return {name: entry.module for name, entry in _plugins().items()} | own


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
