"""`seed{n}/{subject}/{prompt_with_underscores}.png`, as TextBoost's evaluation writes it.

Source: `eval_dreambooth.py` of github.com/nahyeonkaty/textboost at 42d39cd, lines that build
`filename`: the prompt with the class noun in the place of the identifier, `_` for every space.
A name is never turned back into a prompt: see `match`.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.any_pictures.records import Reading, Record, is_picture, stray, visible

SEED = re.compile(r"seed(\d+)")


def fits(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return any(path.is_dir() and SEED.fullmatch(path.name) for path in folder.iterdir())


def read(folder: Path, method: str) -> Reading:
    """Every picture in the folder; whatever lies elsewhere in it is a problem."""
    reading = Reading("textboost", folder)
    for seed_folder in visible(folder):
        match = SEED.fullmatch(seed_folder.name)
        if match is None or not seed_folder.is_dir():
            expected = "folders seed0, seed1, ..."
            reading.problems.append(stray(seed_folder, folder, method, expected))
            continue
        for subject_folder in visible(seed_folder):
            if not subject_folder.is_dir():
                expected = "one folder per subject"
                reading.problems.append(stray(subject_folder, folder, method, expected))
                continue
            for file in visible(subject_folder):
                if file.is_dir() or not is_picture(file):
                    reading.problems.append(stray(file, folder, method, "pictures"))
                    continue
                reading.records.append(
                    Record(
                        file=file,
                        where=file.relative_to(folder).as_posix(),
                        method=method,
                        subject=subject_folder.name,
                        prompt=file.stem,
                        spelling="file name",
                        seed=int(match[1]),
                    )
                )
    return reading
