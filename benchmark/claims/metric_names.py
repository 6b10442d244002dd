"""The names that claims give to scores, and the rows of results.parquet that each means.

`NAME[.seen|.unseen][@ENCODER]`. NAME is a metric of this project (`fidelity`, `alignment`,
`diversity`, ...: the raw value) or a name that the field's tables use (`CLIP-T`, `CLIP-I`, `DINO`,
`DINOv2`, `VQAScore`, `DIV`). The field's names say which family of encoders computes them: CLIP-T
is alignment by OpenAI's CLIP and never by toy-clip. Under a protocol that shows a score otherwise
(negatives set to 0, times 2.5) the field's name means the score as that protocol shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from benchmark.metrics import directions
from benchmark.subjects import unknown


@dataclass(frozen=True)
class Field:
    """A name of the field: the metric, and how the names of its encoders begin."""

    metric: str
    family: str


FIELD_NAMES = {
    "CLIP-T": Field("alignment", "clip-vit-"),
    "CLIP-I": Field("fidelity", "clip-vit-"),
    "DINO": Field("fidelity", "dino-"),
    "DINOv2": Field("fidelity", "dinov2-"),
    "VQAScore": Field("vqascore", "clip-flant5-xxl"),
    "DIV": Field("lpips-diversity", "lpips-alexnet"),
}
REFERENCES = ("unseen", "seen")
_WITH_REFERENCE = ("fidelity",)


@dataclass(frozen=True)
class MetricName:
    """Which rows a claim speaks of."""

    name: str
    """As the claim writes it."""
    metric: str
    """Value of the column `metric`, before a protocol's way of showing it."""
    family: str
    """How the encoder's name begins; empty for any encoder."""
    encoder: str | None
    """The one encoder, where the claim names it."""
    reference: str | None
    """`unseen` or `seen` for fidelity; None for what compares with no photo."""
    as_shown: bool
    """Whether a protocol's way of showing the score is meant: the field's names."""

    def computed_by(self, encoder: str) -> bool:
        """Whether a score by this encoder is what the claim speaks of."""
        return encoder == self.encoder if self.encoder else encoder.startswith(self.family)


@cache
def _metrics() -> tuple[str, ...]:
    return (*FIELD_NAMES, *directions())


def get_metric_name(word: str) -> MetricName:
    """`DINO`, `fidelity.seen@toy-clip`. ValueError, with the nearest spelling, for another."""
    front, at, encoder = word.partition("@")
    name, dot, reference = front.partition(".")
    metrics = _metrics()
    if name not in metrics:
        raise ValueError(unknown("metric", name, metrics))
    field = FIELD_NAMES.get(name, Field(name, ""))
    if dot and field.metric not in _WITH_REFERENCE:
        raise ValueError(f"{name} has no reference photos; leave out {dot + reference!r}")
    if dot and reference not in REFERENCES:
        raise ValueError(unknown("reference", reference, REFERENCES))
    if at and not encoder:
        raise ValueError("expected an encoder's name after '@', such as @clip-vit-b-32")
    if encoder and not encoder.startswith(field.family):
        raise ValueError(
            f"{name} by encoder {encoder!r} is not what the field calls so; write "
            f"{field.metric}@{encoder}"
        )
    photos = (reference or REFERENCES[0]) if field.metric in _WITH_REFERENCE else None
    return MetricName(word, field.metric, field.family, encoder or None, photos, bool(field.family))
