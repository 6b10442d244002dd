"""The scores of one cell, from its pictures as they lie on disk."""

from __future__ import annotations

import io
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.atomic import write_bytes
from benchmark.plan import Cell
from benchmark.store import CellFolder
from benchmark.subjects import Prompt, Subject, open_dataset

if TYPE_CHECKING:
    from PIL import Image

    from benchmark.metrics.probed import Probed


def score_pictures(
    run: Path,
    folder: CellFolder,
    cell: Cell,
    subject: Subject,
    batch_size: int,
    device: str,
    present: Container[tuple[str, int]] | None = None,
    probed: Probed | None = None,
) -> None:
    """Scores the pictures and writes scores.parquet.

    `present` holds the (prompt id, seed) that there are pictures of; None: all of the cell's.
    """
    import pandas as pd

    from benchmark.metrics import score_images

    rows, images, texts = [], [], []
    for id, template in cell.prompts.items():
        text = Prompt(id, template).text(cell.class_noun)
        for seed in cell.seeds:
            if present is not None and (id, seed) not in present:
                continue
            path = folder.image(id, seed)
            images.append(path)
            texts.append(text)
            where = path.relative_to(run).as_posix()
            rows.append({"prompt_id": id, "prompt": text, "seed": seed, "image": where})
    scores = score_images(
        pd.DataFrame(rows),
        images,
        texts,
        [subject.photo(name).load() for name in cell.seen],
        [subject.photo(name).load() for name in cell.unseen],
        list(cell.metrics),
        list(cell.image_encoders),
        list(cell.text_encoders),
        batch_size,
        device,
        other_photos(cell),
        probed,
    )
    content = io.BytesIO()
    scores.to_parquet(content, index=False)
    write_bytes(folder.path / "scores.parquet", content.getvalue())


def other_photos(cell: Cell) -> list[Image.Image]:
    """The photos of other subjects that the cell's metrics look at."""
    places = [tuple(other.split("/", 1)) for other in cell.others]
    if not places:
        return []
    dataset = open_dataset(cell.dataset)
    subjects = {name: dataset.subject(name) for name in dict.fromkeys(name for name, _ in places)}
    return [subjects[name].photo(photo).load() for name, photo in places]
