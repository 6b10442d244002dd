"""A finished run on disk whose scores and pictures are made up, for the report to be timed on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from benchmark.perf.training import photo

METHODS = ("base", "textboost")
SUBJECTS = ("spotted_dog", "rain_boot")
PROMPTS = ("in-the-jungle", "on-the-beach")
SCORES = (("fidelity", "unseen"), ("fidelity", "seen"), ("alignment", None))


def make_run(folder: Path) -> None:
    """Two methods on two subjects, two prompts with one seed, all cells done."""
    import numpy as np

    from benchmark.atomic import write_json, write_text
    from benchmark.collect import collect
    from benchmark.config import RunConfig, toml_text
    from benchmark.measure import Cost
    from benchmark.metrics.evidence import scores
    from benchmark.plan import plan
    from benchmark.plan_file import write_plan
    from benchmark.store import Run, cell_folder

    config = RunConfig.model_validate(
        {
            "name": "made-up",
            "title": "Made up",
            "subjects": SUBJECTS,
            "prompts": PROMPTS,
            "methods": [{"name": name, "preset": "toy"} for name in METHODS],
            "generation": {"seeds": [0]},
            "scoring": {"metrics": ["fidelity", "alignment"], "image_encoders": ["toy-clip"]},
        }
    )
    cells = plan(config)
    write_text(folder / "config.toml", toml_text(config))
    write_json(folder / "run.json", {"title": "Made up", "backbone_note": "made up"})
    write_json(folder / "environment.json", {"gpus": [], "packages": {}})
    write_plan(folder, cells, {})
    random = np.random.default_rng(0)
    for number, cell in enumerate(cells):
        state = cell_folder(folder, cell.key)
        state.begin(cell)
        state.images.mkdir(parents=True)
        for prompt_id in cell.prompts:
            photo(number).save(state.image(prompt_id, 0))
        records = [
            {
                "prompt_id": prompt_id,
                "prompt": template,
                "seed": 0,
                "image": state.image(prompt_id, 0).relative_to(folder).as_posix(),
                "metric": metric,
                "reference": reference,
                "value": float(random.uniform(0.2, 0.8)),
            }
            for prompt_id, template in cell.prompts.items()
            for metric, reference in SCORES
        ]
        frame = scores(records).assign(encoder="toy-clip")
        frame.to_parquet(state.path / "scores.parquet", index=False)
        costs = [Cost(stage, "wall_seconds", 1.5, "s") for stage in ("load", "generate", "score")]
        write_json(state.path / "cost.json", [asdict(cost) for cost in costs])
        state.finish(cell)
    collect(Run.open(folder))
