"""A made-up run on disk, in the harness's own layout."""

import json

import numpy as np
from PIL import Image, ImageDraw

from benchmark.collect import collect
from benchmark.config import RunConfig, toml_text
from benchmark.metrics.evidence import scores
from benchmark.plan import Cell
from benchmark.plan_file import write_plan
from benchmark.store import Run, cell_folder

PROMPTS = {
    "in-the-jungle": "a {subject} in the jungle",
    "on-the-beach": "a {subject} on the beach",
}
# Means of: fidelity to held-out photos, to the training photo, alignment, diversity, Vendi score.
SKILL = {
    "base": (0.40, 0.41, 0.30, 0.40, 3.4),
    "copy": (0.68, 1.00, 0.18, 0.00, 1.0),
    "oracle": (0.72, 0.73, 0.31, 0.20, 2.2),
    "textual-inversion": (0.52, 0.56, 0.27, 0.30, 2.8),
    "dreambooth": (0.60, 0.66, 0.24, 0.22, 2.3),
    "textboost": (0.58, 0.62, 0.29, 0.28, 2.7),
}
CONTROLS = ("base", "copy", "oracle")
ENCODERS = ("efficientnet-lite0", "toy-clip")


def config(subjects, methods, **changes):
    return RunConfig.model_validate(
        {
            "name": "made-up",
            "title": "A made-up run",
            "subjects": subjects,
            "prompts": list(PROMPTS),
            "methods": [
                {"name": name, "preset": "paper" if name in CONTROLS else "toy"} for name in methods
            ],
            "generation": {"seeds": [0, 1]},
        }
        | changes
    )


def cell(method, subject, **changes):
    given = {
        "method": method,
        "preset": "paper" if method in CONTROLS else "toy",
        "settings": {} if method in CONTROLS else {"steps": 120, "learning_rate": 5e-4},
        "code_version": "c0de",
        "backbone": "toy",
        "backbone_revision": "0123456789ab",
        "dataset": "toyworld",
        "split": "n1",
        "subject": subject,
        "class_noun": "dog",
        "descriptor": "striped",
        "live": True,
        "seen": {"00.png": "a"},
        "unseen": {"01.png": "b", "02.png": "c"},
        "train_seed": 0,
        "compute": {"precision": "fp32"},
        "prior": {"steps": 25, "guidance_scale": 7.5, "sampler": "dpm++"},
        "resolution": 64,
        "captions": "d",
        "prompts": PROMPTS,
        "seeds": [0, 1],
        "steps": 25,
        "guidance_scale": 7.5,
        "sampler": "dpm++",
        "metrics": dict.fromkeys(("fidelity", "alignment", "diversity", "vendi"), "f"),
        "image_encoders": dict.fromkeys(ENCODERS, "e"),
        "text_encoders": {"toy-clip": "e"},
    }
    return Cell(**(given | changes))


def cell_scores(made, random):
    """Scores of one cell around its method's skill; subjects differ more than seeds do."""
    unseen, seen, alignment, diversity, vendi = SKILL[made.method]
    shift = 0.08 * np.sin(sum(map(ord, made.subject)))
    records = []
    for encoder in ENCODERS:
        for prompt_id, template in made.prompts.items():
            prompt = template.replace("{subject}", made.class_noun)
            for seed in made.seeds:
                about = {
                    "encoder": encoder,
                    "prompt_id": prompt_id,
                    "prompt": prompt,
                    "seed": seed,
                    "image": f"cells/{made.key}/images/{prompt_id}-{seed}.png",
                }
                noise = 0.0 if made.method == "copy" else random.normal(0, 0.02)
                for reference, mean in (("unseen", unseen), ("seen", seen)):
                    value = 1.0 if mean == 1.0 else mean + shift + noise
                    records.append(
                        about | {"metric": "fidelity", "reference": reference, "value": value}
                    )
                if encoder == "toy-clip":
                    value = alignment + random.normal(0, 0.01)
                    records.append(about | {"metric": "alignment", "value": value})
            records.append(
                {
                    "encoder": encoder,
                    "prompt_id": prompt_id,
                    "prompt": prompt,
                    "metric": "diversity",
                    "value": diversity,
                }
            )
        whole = {"encoder": encoder, "reference": "unseen"}
        records += [
            {"encoder": encoder, "metric": "vendi", "value": vendi},
            whole | {"metric": "fidelity-ceiling", "value": 0.70 + shift},
            whole | {"metric": "fidelity-ceiling-within", "value": 0.74 + shift},
        ]
    encoders = [record.pop("encoder") for record in records]
    return scores(records).assign(encoder=encoders)


def cell_costs(made):
    stages = ["load", "generate", "score"]
    extra = []
    if made.method not in CONTROLS:
        stages = ["load", "prepare", "train", "save", "reload", "generate", "score"]
        extra = [
            ("train", "steps", 120, "steps", "exact"),
            ("train", "trainable_parameters", 33_100, "parameters", "exact"),
            ("train", "first_step_seconds", 0.31, "s", "measured"),
            ("train", "step_seconds_median", 0.083, "s", "measured"),
            ("save", "checkpoint_bytes", 66_512, "B", "exact"),
        ]
    costs = [(stage, "wall_seconds", 1.5, "s", "measured") for stage in stages]
    costs += [(stage, "peak_rss_bytes", 1.2e9, "B", "measured") for stage in stages]
    names = ("stage", "measure", "value", "unit", "kind")
    return [dict(zip(names, cost, strict=True)) for cost in costs + extra]


def draw(seed):
    image = Image.new("RGB", (64, 64), tuple((seed * step) % 200 + 40 for step in (37, 91, 53)))
    ImageDraw.Draw(image).ellipse((14, 18, 50, 54), fill=(230, 120, 40), outline=(60, 30, 10))
    return image


def make_run(folder, cells, failed=(), pending=(), **changes):
    """Write a run whose cells are done, but for those (method, subject) that are not."""
    subjects = list(dict.fromkeys(c.subject for c in cells))
    methods = list(dict.fromkeys(c.method for c in cells))
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(toml_text(config(subjects, methods, **changes)))
    about = {"title": "A made-up run", "backbone_note": "toy world: no figures for any paper"}
    (folder / "run.json").write_text(json.dumps(about | {"versions": {"results": 1}}))
    environment = {
        "python": "3.11.9",
        "memory_bytes": 16_000_000_000,
        "gpus": [],
        "packages": {"torch": "2"},
        "code": "made up",
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    write_plan(folder, cells, {})
    random = np.random.default_rng(0)
    for number, made in enumerate(cells):
        state = cell_folder(folder, made.key)
        if (made.method, made.subject) in pending:
            continue
        state.begin(made)
        if (made.method, made.subject) in failed:
            state.fail(made, "OutOfMemoryError", "not enough <memory> for 3 GB")
            continue
        state.images.mkdir(parents=True)
        for prompt_id in made.prompts:
            for seed in made.seeds:
                draw(number * 7 + seed).save(state.image(prompt_id, seed))
        cell_scores(made, random).to_parquet(state.path / "scores.parquet", index=False)
        (state.path / "cost.json").write_text(json.dumps(cell_costs(made)))
        state.finish(made)
    for subject in subjects:
        photos = folder / "photos" / subject
        photos.mkdir(parents=True)
        for number, name in enumerate(("seen-00", "unseen-01", "unseen-02")):
            draw(number).save(photos / f"{name}.png")
    collect(Run.open(folder))
    return Run.open(folder)


SUBJECTS = ("dog_a", "dog_b", "cat_c", "teapot_d", "clock_e", "vase_f")
