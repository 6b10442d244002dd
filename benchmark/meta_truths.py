"""Sets of pictures for `benchmark/meta_evaluation.py`: what is so of each, by construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass

SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Truth:
    """What is so of a set of pictures, each a share from 0 to 1; None where it is not known."""

    subject: float | None
    """Pictures of the very subject."""
    prompt: float | None
    """What the prompt asks for, class and scene counting half each."""
    variety: float | None
    """Pictures that are not all the same one."""
    copied: float | None = 0
    """Pictures that are the training photo."""
    changed: float | None = 0
    """Collages, crops and grey copies."""
    untouched: float | None = 0
    """Pictures that the backbone made before any training."""


PURE = {
    "oracle": Truth(1, 1, 1),
    "other scene": Truth(1, 0.5, None),
    "other subject": Truth(0, 0.5, None),
    "copy": Truth(1, 0.5, 0, copied=1),
    "base": Truth(0, 1, None, untouched=1),
    "augmented": Truth(None, None, None, changed=1),
    "noise": Truth(0, 0, None),
}
Claim = Callable[[Truth], float | None]


def _covered(truth: Truth) -> float | None:
    """How much of the photos' variety can be among the pictures."""
    if truth.subject == 0:
        return 0
    if truth.subject is None or truth.variety is None:
        return None
    return truth.subject * truth.variety


def _without(share: str) -> Claim:
    """1 - the share."""

    def claim(truth: Truth) -> float | None:
        value: float | None = getattr(truth, share)
        return None if value is None else 1 - value

    return claim


CLAIMS: Mapping[str, Claim] = {
    "fidelity": lambda truth: truth.subject,
    "alignment": lambda truth: truth.prompt,
    "diversity": lambda truth: truth.variety,
    "vendi": lambda truth: truth.variety,
    "kid-x1000": lambda truth: truth.subject,
    "fid": lambda truth: truth.subject,
    "clip-mmd": lambda truth: truth.subject,
    "precision": lambda truth: truth.subject,
    "recall": _covered,
    "copied": _without("copied"),
    "copying-gap": _without("copied"),
    "augmentation-leak": _without("changed"),
    "pres": _without("subject"),
    "language-drift-images": lambda truth: truth.untouched,
}
"""Emitted metric -> the truth that it should rise with, or fall where lower is better.

For `pres` and `language-drift-images` a set stands in for what a trained model makes without the
subject. Two are not judged: `language-drift-text` sees no pictures, and the weights of
`lpips-diversity` are not part of the project.
"""


def mixed(kind: str, share: float) -> Truth:
    """Truth of the oracle's pictures with a share of them replaced."""
    one, other = PURE["oracle"], PURE[kind]

    def blend(here: float | None, there: float | None) -> float | None:
        return None if here is None or there is None else (1 - share) * here + share * there

    return Truth(*map(blend, astuple(one), astuple(other)))


def truths() -> dict[str, Truth]:
    """Every set's name -> its truth: the pure ones, then the mixtures."""
    mixtures = {
        f"oracle, {share:.0%} {kind}": mixed(kind, share)
        for kind in PURE
        if kind != "oracle"
        for share in SHARES
    }
    return PURE | mixtures
