"""Writes the page of a blind study and its key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.ab_answers import key_content
from benchmark.ab_study import Key, Pair
from benchmark.atomic import checksum, digest, write_json, write_text
from benchmark.commands.report import BlindStudy
from benchmark.errors import UserError
from reports.ab_study.pairs import Chosen, choose
from reports.inlined import asset, policy_hash
from reports.page.thumbnails import PIXELATED_SIDE, data_uri
from reports.study import Study

SIDE = 512
"""Longest side of a picture on the page, in pixels."""
PHOTOS = 3
"""Photos of a subject that are shown beside a pair, at most."""
# The page asks nobody for anything: pictures are inside it, answers leave it as a file.
POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Written:
    """What came of it."""

    page: Path
    key: Path
    pairs: int


def write_study(study: Study, asked: BlindStudy, folder: Path) -> Written:
    """study-QUESTION-ID.html, which knows no method, and key-QUESTION-ID.json, which does.

    Another choice of pairs or other pictures give another ID: no key is lost to a later study.
    UserError for methods that are not there, and for a subject without a photo to compare with.
    """
    chosen = choose(study, asked.methods, asked.pairs, asked.seed)
    key = make_key(chosen, asked)
    photos = _photos(study, chosen) if asked.question == "fidelity" else {}
    name = f"{asked.question}-{key.study}"
    page, key_file = folder / f"study-{name}.html", folder / f"key-{name}.json"
    write_json(key_file, key_content(key))
    write_text(page, html(key, chosen, photos))
    return Written(page, key_file, len(chosen))


def make_key(chosen: Sequence[Chosen], asked: BlindStudy) -> Key:
    """Ids for the study, its pairs and pictures. They tell nothing to those without the run."""
    sums = {file: checksum(file) for pair in chosen for file in pair.files}
    content = [
        [pair.place.__dict__, pair.prompt, pair.methods, [sums[file] for file in pair.files]]
        for pair in chosen
    ]
    study = digest([asked.question, asked.seed, content], 8)
    pairs = {}
    for number, pair in enumerate(chosen, start=1):
        id = f"p{number:03d}"
        pictures = {
            digest([study, id, method, sums[file]], 10): method
            for method, file in zip(pair.methods, pair.files, strict=True)
        }
        place = pair.place
        pairs[id] = Pair(
            id=id,
            subject=place.subject,
            prompt_id=place.prompt_id,
            prompt=pair.prompt,
            seed=place.seed,
            train_seed=place.train_seed,
            pictures={picture: pictures[picture] for picture in sorted(pictures)},
        )
    return Key(study, asked.question, pairs)


def html(key: Key, chosen: Sequence[Chosen], photos: dict[str, list[Path]]) -> str:
    """The page; `chosen` are the key's pairs in its order, `photos` those of each subject."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("reports.ab_study", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (f"\n{asset('reports.ab_study', name)}" for name in ("study.css", "study.js"))
    data = json.dumps(_data(key, chosen, photos), ensure_ascii=True)
    page = templates.get_template("study.html.j2").render(
        policy=POLICY.format(style=policy_hash(style), script=policy_hash(script)),
        style=style,
        script=script,
        # No text of a run can end the element that holds the data.
        data=data.replace("<", "\\u003c"),
        pairs=len(key.pairs),
        question=key.question,
    )
    return page


def _data(key: Key, chosen: Sequence[Chosen], photos: dict[str, list[Path]]) -> dict[str, Any]:
    """What the script of the page knows: of a subject its noun and photos, never a method."""
    subjects = list(photos)
    pairs = []
    for pair, one in zip(key.pairs.values(), chosen, strict=True):
        files = dict(zip(one.methods, one.files, strict=True))
        pairs.append(
            {
                "id": pair.id,
                "noun": one.class_noun,
                "prompt": pair.prompt if key.question == "alignment" else "",
                "photos": subjects.index(pair.subject) if photos else None,
                "pictures": [
                    {"id": id, **_picture(files[method])} for id, method in pair.pictures.items()
                ],
            }
        )
    shown = [[_picture(file) for file in photos[subject]] for subject in subjects]
    return {"study": key.study, "question": key.question, "pairs": pairs, "photos": shown}


def _photos(study: Study, chosen: Sequence[Chosen]) -> dict[str, list[Path]]:
    """Subject -> a few of its photos, the training photos first."""
    found = {}
    for subject in sorted({pair.place.subject for pair in chosen}):
        photos = study.photos(subject)
        found[subject] = [*photos["seen"], *photos["unseen"]][:PHOTOS]
        if not found[subject]:
            raise UserError(
                f"--ab-study: there is no photo of {subject} in {study.path / 'photos'} to compare "
                "with; ask --ab-question alignment, which needs none"
            )
    return found


def _picture(file: Path) -> dict[str, Any]:
    """A data URI without whatever else the file says: a PNG's notes may tell the method."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    image.info.clear()
    buffer = BytesIO()
    small = max(image.size) <= PIXELATED_SIDE
    if small:
        image.save(buffer, "PNG")
    else:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=90)
    kind = "image/png" if small else "image/jpeg"
    return {"src": data_uri(buffer.getvalue(), kind), "small": small}
