"""Small folders of toy-world pictures, and the command that scores them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.metrics import score_images
from benchmark.subjects import Prompt
from benchmark.toyworld.dataset import ToyWorld

SUBJECTS = ("spotted_dog", "picnic_teapot")
PROMPTS = ("in-the-jungle", "red")
SEEDS = (0, 1)
METRICS = ["fidelity", "alignment", "diversity", "vendi"]
TOY = ("--dataset", "toyworld", "--image-encoders", "toy-clip", "--device", "cpu")
WORLD = ToyWorld()


def prompt(subject: str, id: str) -> Prompt:
    return next(p for p in WORLD.prompts(WORLD.facts(subject).live) if p.id == id)


def words(subject: str, id: str) -> str:
    return prompt(subject, id).text(WORLD.facts(subject).class_noun)


def drawn(subject: str, id: str, seed: int) -> Image.Image:
    return WORLD.oracle(subject, prompt(subject, id), seed)


def textboost_folder(folder: Path, shift: int = 0, suffix: str = ".png") -> Path:
    """As TextBoost's evaluation writes it; another `shift`, other pictures."""
    for seed in SEEDS:
        for subject in SUBJECTS:
            for id in PROMPTS:
                name = words(subject, id).replace(" ", "_") + suffix
                file = folder / f"seed{seed}" / subject / name
                file.parent.mkdir(parents=True, exist_ok=True)
                drawn(subject, id, seed + shift).save(file)
    return folder


def direct_scores(subject: str, pictures: dict[tuple[str, int], Image.Image]) -> pd.DataFrame:
    """What `score_images` says of the pictures, without any of what is tested here."""
    photos = {photo.name: photo.load() for photo in WORLD.subject(subject).photos}
    seen = [photos.pop("00.png")]
    rows = [
        {"prompt_id": id, "prompt": words(subject, id), "seed": seed, "image": ""}
        for id, seed in pictures
    ]
    return score_images(
        pd.DataFrame(rows),
        list(pictures.values()),
        [row["prompt"] for row in rows],
        seen,
        list(photos.values()),
        METRICS,
        ["toy-clip"],
        ["toy-clip"],
    )


def assert_same_scores(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Row for row the same, whatever the order and wherever the pictures lie."""
    columns = ["metric", "encoder", "reference", "prompt_id", "prompt", "seed", "value"]
    both = []
    for frame in (found, expected):
        chosen = frame[columns].astype(object)
        chosen = chosen.where(chosen.notna(), "none").astype({"value": float})
        both.append(chosen.sort_values(columns[:-1]).reset_index(drop=True))
    assert len(expected)
    pd.testing.assert_frame_equal(*both, rtol=0, atol=1e-6)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str
    run: Path

    @property
    def results(self) -> pd.DataFrame:
        return pd.read_parquet(self.run / "results.parquet")

    @property
    def problems(self) -> pd.DataFrame:
        return pd.read_csv(self.run / "problems.csv", dtype=str, keep_default_na=False)

    @property
    def page(self) -> str:
        return (self.run / "report" / "index.html").read_text(encoding="utf-8")

    def of(self, method: str, subject: str) -> pd.DataFrame:
        rows = self.results
        return rows[(rows["method"] == method) & (rows["subject"] == subject)]


Score = Callable[..., Done]


@pytest.fixture
def score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Score:
    """`score(*arguments)` is `tbbench score ... --out tmp_path/scored`."""

    def run(*arguments: object, out: Path = tmp_path / "scored") -> Done:
        words = ["tbbench", "score", *map(str, arguments), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Done(int(stopped.value.code or 0), printed.out, printed.err, out)

    return run
