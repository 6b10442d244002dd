"""The toy world as a data set: held-out subjects in five views each, and the oracle."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmark.dreambench import DreamBench
from benchmark.errors import UserError
from benchmark.subjects import Photo, Prompt, Subject, SubjectFacts, unknown
from benchmark.toyworld.captions import parse
from benchmark.toyworld.draw import draw
from benchmark.toyworld.scenes import LIVE, Scene
from benchmark.toyworld.subjects import SUBJECTS, VIEW_NAMES, Look, views

if TYPE_CHECKING:
    from PIL import Image

SPLITS = {"n1": "00.png", **{f"n1-{k}": name for k, name in enumerate(VIEW_NAMES)}}


class ToyWorld:
    """Drawn subjects that the toy backbone has never seen, with DreamBench's prompts."""

    name = "toyworld"

    def subject_names(self) -> list[str]:
        """All subjects, in the order of `SUBJECTS`."""
        return list(SUBJECTS)

    def facts(self, subject_name: str) -> SubjectFacts:
        """The subject and the SHA-256 of its views, which are drawn for that."""
        look = self._look(subject_name)
        return SubjectFacts(
            name=subject_name,
            class_noun=look.class_noun,
            live=look.class_noun in LIVE,
            descriptor=look.color,
            checksums={name: _checksum(draw(scene)) for name, scene in views(look).items()},
        )

    def subject(self, name: str) -> Subject:
        """The subject; its photos are drawn when they are opened."""
        facts = self.facts(name)
        scenes = views(self._look(name))
        photos = tuple(
            Photo(photo, sha256, partial(draw, scenes[photo]))
            for photo, sha256 in facts.checksums.items()
        )
        return Subject(name, facts.class_noun, facts.live, facts.descriptor, photos)

    def prompts(self, live: bool) -> list[Prompt]:
        """DreamBench's prompts for live subjects or for objects."""
        return DreamBench().prompts(live)

    def split_names(self) -> list[str]:
        """`n1` trains on the first view; `n1-k` on the k-th."""
        return list(SPLITS)

    def split(self, name: str) -> dict[str, tuple[str, ...]]:
        """Subject -> its one training view. UserError for a split that there is not."""
        if name not in SPLITS:
            raise UserError(unknown("split", name, list(SPLITS), " of toyworld"))
        return dict.fromkeys(SUBJECTS, (SPLITS[name],))

    def oracle(self, subject_name: str, prompt: Prompt, seed: int) -> Image.Image:
        """The subject as the prompt asks for it, seen as `seed` decides."""
        look = self._look(subject_name)
        return draw(prompted_scene(look, prompt.text(look.class_noun), seed))

    def _look(self, name: str) -> Look:
        if name not in SUBJECTS:
            raise UserError(unknown("subject", name, list(SUBJECTS), " of toyworld"))
        return SUBJECTS[name]


def prompted_scene(look: Look, text: str, seed: int) -> Scene:
    """The scene that shows the subject as `text` asks; position and small things vary by seed."""
    rng = random.Random(f"{look}|{text}|{seed}")
    states = parse(text)
    states.pop("class", None)
    return replace(
        look.scene(),
        scale=rng.uniform(0.92, 1.1),
        shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.03, 0.03)),
        detail=rng.randrange(1 << 30),
        **states,  # type: ignore[arg-type]
    )


def _checksum(picture: Image.Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()
