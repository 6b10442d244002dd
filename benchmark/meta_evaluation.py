"""Do the metrics rank as they should? Tried on the toy world, where the truth is known.

`python -m benchmark.meta_evaluation` draws sets of pictures whose truth is known by construction,
scores them with every metric, and writes the page docs/explanation/meta-evaluation.md to standard
output. The sets: the right answer (`oracle`), the same subject in another prompt's scene, another
subject in the right scene, the training photo (`copy`), what the untouched backbone makes of the
class noun (`base`), the right answer as a collage, crop or grey copy (`augmented`), noise; and
mixtures in which a quarter, half or three quarters of the oracle's pictures are replaced by one of
these.

A metric is compared with the truth of what it claims to measure over all sets; a lower-is-better
metric is turned round first. Spearman's rank correlation is given because it is what people look
for. The verdict is by Somers' D, the pairs of sets that are ranked rightly less those that are
ranked wrongly, over the pairs that the truth ranks: where many sets are alike in truth, Spearman's
cannot reach 1 however right the metric is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.generate import Sampling, batches, noise_seed, sample
from benchmark.meta_truths import CLAIMS, PURE, truths
from benchmark.metrics import directions, get_metric, metric_names, score_images
from benchmark.metrics.augmented import CHANGES
from benchmark.metrics.encoders import Picture
from benchmark.metrics.probed import Probed, Two
from benchmark.stats import subject_means
from benchmark.subjects import Prompt
from benchmark.toyworld.dataset import ToyWorld

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SUBJECTS = 8
SEEDS = (0, 1, 2, 3)
PROMPTS = (
    *("in-the-jungle", "in-the-snow", "on-the-beach"),
    *("on-a-cobblestone-street", "with-a-city", "on-a-purple-rug-in-a-forest"),
)
ENCODERS = ("efficientnet-lite0", "toy-clip")
SIZE = 64
GOOD = 0.8
"""Somers' D from which a metric counts as ranking rightly: 9 of 10 pairs."""

Key = tuple[str, str, int]
"""Subject, prompt id, seed."""


def pictures(subjects: Sequence[str], pipe: DiffusionPipeline) -> dict[str, dict[Key, Image.Image]]:
    """The pure sets: a picture for every subject, prompt and seed."""
    world = ToyWorld()
    made: dict[str, dict[Key, Image.Image]] = {name: {} for name in PURE}
    for place, name in enumerate(subjects):
        facts = world.facts(name)
        other = subjects[(place + 1) % len(subjects)]
        photo = world.subject(name).photo(world.split("n1")[name][0]).load()
        prompts = chosen_prompts(world, facts.live)
        for turn, prompt in enumerate(prompts):
            elsewhere = prompts[(turn + 1) % len(prompts)]
            for seed in SEEDS:
                key = (name, prompt.id, seed)
                made["oracle"][key] = world.oracle(name, prompt, seed)
                made["other scene"][key] = world.oracle(name, elsewhere, seed)
                made["other subject"][key] = world.oracle(other, prompt, seed)
                made["augmented"][key] = _augmented(made["oracle"][key], *key)
                made["copy"][key] = photo.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
                made["noise"][key] = _noise(*key)
        wanted = [(prompt, seed) for prompt in prompts for seed in SEEDS]
        for batch in batches(wanted, 8):
            texts = [prompt.text(facts.class_noun) for prompt, _ in batch]
            seeds = [noise_seed(name, prompt.id, seed) for prompt, seed in batch]
            sampling = Sampling(25, 5.0, "dpm++", SIZE)
            for (prompt, seed), image in zip(
                batch, sample(pipe, texts, seeds, sampling), strict=True
            ):
                made["base"][name, prompt.id, seed] = image
    return made


def mixture(
    oracle: Mapping[Key, Image.Image], other: Mapping[Key, Image.Image], share: float
) -> dict[Key, Image.Image]:
    """The oracle's pictures with a share of every subject's replaced, evenly over its prompts."""
    made: dict[Key, Image.Image] = {}
    for name in dict.fromkeys(key[0] for key in oracle):
        keys = sorted(key for key in oracle if key[0] == name)
        order = sorted(keys, key=lambda key: noise_seed("mixture", *key))
        replaced = set(order[: round(share * len(order))])
        made |= {key: other[key] if key in replaced else oracle[key] for key in keys}
    return made


def judged_metrics() -> list[str]:
    """The metrics' own names that emit what `CLAIMS` names."""
    return [name for name in metric_names() if set(CLAIMS) & set(get_metric(name).EMITS)]


def score_set(
    images: Mapping[Key, Image.Image], base: Mapping[Key, Image.Image], subjects: Sequence[str]
) -> pd.DataFrame:
    """Tidy scores of one set: a cell's scores for every subject. `base`: the set called so."""
    world = ToyWorld()
    photos = {name: world.subject(name) for name in subjects}
    parts = []
    for name in subjects:
        facts, subject = world.facts(name), photos[name]
        seen = world.split("n1")[name]
        texts = {p.id: p.text(facts.class_noun) for p in chosen_prompts(world, facts.live)}
        keys = [key for key in images if key[0] == name]
        rows = pd.DataFrame(
            [
                {"prompt_id": id, "prompt": texts[id], "seed": seed, "image": f"{id}-{seed}"}
                for _, id, seed in keys
            ]
        )
        mine = Two[Sequence[Picture]]([images[key] for key in keys], [base[key] for key in keys])
        scored = score_images(
            rows,
            mine.trained,
            list(rows["prompt"]),
            [subject.photo(photo).load() for photo in seen],
            [subject.photo(photo).load() for photo in facts.checksums if photo not in seen],
            judged_metrics(),
            ENCODERS,
            ["toy-clip"],
            others=[p.load() for other in subjects if other != name for p in photos[other].photos],
            probed=Probed({"class": mine, "drift": mine}),
        )
        parts.append(scored.assign(subject=name, train_seed=0))
    return pd.concat(parts, ignore_index=True)


def evaluate(subjects: Sequence[str], pipe: DiffusionPipeline) -> pd.DataFrame:
    """Columns metric, encoder, reference, set, mean (over subjects) and truth (may be missing)."""
    pure = pictures(subjects, pipe)
    records = []
    for name, truth in truths().items():
        images = pure.get(name)
        if images is None:
            share, kind = name.removeprefix("oracle, ").split("% ")
            images = mixture(pure["oracle"], pure[kind], int(share) / 100)
        scored = score_set(images, pure["base"], subjects)
        for (metric, encoder, reference), rows in scored.groupby(
            ["metric", "encoder", "reference"], dropna=False
        ):
            if metric not in CLAIMS:
                continue
            mean = float(np.mean(list(subject_means(rows).values())))
            column = {"metric": metric, "encoder": encoder, "reference": reference}
            claimed = CLAIMS[str(metric)](truth)
            records.append(column | {"set": name, "mean": mean, "truth": claimed})
    return pd.DataFrame(records).astype({"truth": "float64"})


def judge(table: pd.DataFrame) -> pd.DataFrame:
    """Per metric, encoder, reference: both correlations, sets, pure pairs ranked wrongly.

    A pair of pure sets is ranked wrongly when the truth puts one above the other and the metric
    puts it below.
    """
    from scipy.stats import somersd, spearmanr

    better = directions()
    records = []
    for (metric, encoder, reference), rows in table.groupby(
        ["metric", "encoder", "reference"], dropna=False, sort=False
    ):
        known = rows[rows["truth"].notna()]
        sign = -1.0 if better[str(metric)] == "lower" else 1.0
        merit = sign * known["mean"].to_numpy()
        truth = known["truth"].to_numpy()
        pure = known[known["set"].isin(list(PURE))]
        sets = pure.to_dict("records")
        wrong = [
            f"{low['set']} above {high['set']}"
            for high in sets
            for low in sets
            if high["truth"] > low["truth"] and sign * high["mean"] < sign * low["mean"]
        ]
        column = {"metric": metric, "encoder": encoder, "reference": reference}
        found = {
            "spearman": float(spearmanr(merit, truth).statistic),
            "somers": float(somersd(truth, merit).statistic),
            "sets": len(known),
            "wrong": wrong,
        }
        records.append(column | found)
    return pd.DataFrame(records)


def chosen_prompts(world: ToyWorld, live: bool) -> list[Prompt]:
    """The prompts of `PROMPTS`, in the data set's order."""
    return [prompt for prompt in world.prompts(live) if prompt.id in PROMPTS]


def page(table: pd.DataFrame, judged: pd.DataFrame) -> str:
    """The docs page."""
    lines = [_HEAD.format(subjects=SUBJECTS, pictures=SUBJECTS * len(PROMPTS) * len(SEEDS))]
    lines += ["| metric | Somers' D | Spearman | sets | ranks | pure sets ranked wrongly |"]
    lines += ["| :--- | ---: | ---: | ---: | :--- | :--- |"]
    names = []
    for row in judged.to_dict("records"):
        verdict = "rightly" if row["somers"] >= GOOD else "**wrongly**"
        wrong = "; ".join(row["wrong"]) or "none"
        names.append(_title(row["metric"], row["encoder"], row["reference"]))
        numbers = f"{row['somers']:.2f} | {row['spearman']:.2f} | {row['sets']}"
        lines.append(f"| {names[-1]} | {numbers} | {verdict} | {wrong} |")
    wide = table.assign(
        column=[
            _title(m, e, r)
            for m, e, r in zip(table["metric"], table["encoder"], table["reference"], strict=True)
        ]
    ).pivot(index="set", columns="column", values="mean")
    lines += ["", "## Scores of every set", "", "Means over subjects.", ""]
    lines += ["| set | " + " | ".join(names) + " |", "| :--- |" + " ---: |" * len(names)]
    for name in truths():
        cells = [f"{value:.3f}" for value in wide.reindex([name])[names].to_numpy()[0]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_HEAD = """# Do the metrics rank as they should?

Written by `python -m benchmark.meta_evaluation`; measured on the toy world alone, whose truth is
known because it is drawn. {subjects} subjects, {pictures} pictures in every set. A metric is
compared with the truth of what it claims to measure:

- fidelity: the share of pictures that show the very subject;
- alignment: how much of class and scene is as prompted;
- diversity and Vendi score: how few of the pictures are one and the same;
- KID, FID, CLIP-MMD and precision, which compare with the held-out photos: the share that shows the
  subject; recall: that share times its variety;
- copying: how few pictures are the training photo;
- augmentation leak: how few are collages, crops or grey copies;
- PRES, the set standing in for pictures of the bare class noun: how few show the subject;
- language drift in pictures: how many are as before training.

Somers' D is over all pairs of sets that the truth ranks: those ranked rightly less those ranked
wrongly. 0.8, 9 pairs of 10, counts as ranking rightly, and a metric below it carries a warning in
its own file and in every report that shows it. Spearman's rank correlation cannot reach 1 where
many sets are alike in truth. `language-drift-text` sees no pictures, and the weights of
`lpips-diversity` and `vqascore` are not part of the project: these are not judged. What the page
shows does not carry over to photos.
"""


def _title(metric: str, encoder: str, reference: object) -> str:
    shown = f"{metric} {reference}" if isinstance(reference, str) else metric
    return f"{shown} ({encoder})"


def _augmented(image: Image.Image, *key: object) -> Image.Image:
    """The picture as a collage, cropped or grey, by the key."""
    draw = noise_seed("augmented", *key)
    operation, _ = list(CHANGES.values())[draw % len(CHANGES)]
    return operation(image, Random(draw)).image


def _noise(name: str, prompt: str, seed: int) -> Image.Image:
    random = np.random.default_rng(noise_seed("noise", name, prompt, seed))
    return Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))


def main() -> None:
    """Writes the page to standard output."""
    from benchmark.backbones import open_backbone

    subjects = ToyWorld().subject_names()[:SUBJECTS]
    pipe = open_backbone("toy").load("cpu", "fp32")
    table = evaluate(subjects, pipe)
    sys.stdout.write(page(table, judge(table)))


if __name__ == "__main__":
    main()
