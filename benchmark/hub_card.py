"""The card of a checkpoint for the Hugging Face Hub: README.md with the front matter it reads.

The body is the checkpoint's own model_card.md, and below it what the run knows: how it was
trained, and its scores. The front matter is made by `huggingface_hub`, with the scores as its
`model-index`. What is not known or was not measured is left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.backbones import NAMED
from benchmark.backbones.blank import BLANK
from benchmark.backbones.hub import HUB, HUB_ID
from benchmark.backbones.toy import TOY_NOTE
from benchmark.dataset_card import TAGS, counted, dreambench_credit, hub_licence
from benchmark.failures import writable
from benchmark.hf_dataset import public_name
from benchmark.plan import Cell
from benchmark.store import Run
from benchmark.subjects import DATASET_NAMES
from methods.model_card import plain, verbatim

if TYPE_CHECKING:
    import pandas as pd
    from huggingface_hub import EvalResult, ModelCardData

DATASETS = {
    "dreambench": ("dreambench", "DreamBench"),
    "toyworld": ("toyworld", "Toy world (drawn; not comparable with any paper)"),
}
"""A data set -> its type and name in the model index."""
OWN_PHOTOS = ("photos", "Photos of whoever made the run")
TASK = "text-to-image"
SCORE = ["metric", "encoder", "reference"]
"""Columns of results.parquet that name a score together."""
PROMPT = re.compile(r"^- Prompt: (`+)( ?)(.*?)\2\1$", re.MULTILINE)
"""The line of `methods.model_card` with the prompt, which stands between backticks."""
LOADERS = {"load_lora_weights(": "lora", "load_textual_inversion(": "textual_inversion"}
"""What the card's code calls -> the tag by which the Hub knows such files."""


@dataclass(frozen=True)
class Model:
    """A checkpoint and what its run knows of it."""

    run: Run
    cell: Cell
    results: pd.DataFrame
    """The cell's rows of results.parquet."""
    costs: pd.DataFrame
    """The cell's rows of costs.parquet."""
    card: str
    """The checkpoint's model_card.md; empty when it has none."""
    license: str | None
    """As the user gave it."""
    made_by: str | None = None
    """`benchmark.environment_words.made_by` of this cell."""


@dataclass(frozen=True)
class Score:
    """A metric's mean over the cell, unweighted."""

    metric: str
    encoder: str | None
    reference: str | None
    """`seen`, `unseen`, or None for a score that needs no photos."""
    better: str | None
    """`higher` or `lower`; None where the metric is not installed."""
    mean: float
    """In the metric's own unit, as results.parquet has it."""
    values: int
    """How many values it is the mean of: one a picture, a prompt or a cell."""

    @property
    def title(self) -> str:
        """As the report's columns are called: `fidelity unseen (toy-clip)`."""
        name = f"{self.metric} {self.reference}" if self.reference else self.metric
        return f"{name} ({self.encoder})" if self.encoder else name


def card(model: Model) -> str:
    """README.md. Every word of a user's is escaped; UserError for a licence that is none."""
    found = scores(model.results)
    parts = [
        model.card.strip() or _no_card(model.cell),
        "## From the Hub",
        _from_hub(model),
        "## Training",
        _training(model),
        "## Results",
        _results(model, found),
        "## Photos",
        _photos(model.cell.dataset),
        "## Licence",
        _licence_note(model),
    ]
    return f"---\n{front_matter(model, found).to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


def front_matter(model: Model, found: list[Score]) -> ModelCardData:
    """What the Hub reads. UserError for a licence that is no identifier of the Hub."""
    from huggingface_hub import ModelCardData

    results = [_eval_result(model, score) for score in found]
    prompt = instance_prompt(model.card)
    known: dict[str, Any] = {} if prompt is None else {"instance_prompt": prompt}
    return ModelCardData(
        license=licence(model),
        base_model=base_model(model.run, model.cell),
        library_name="diffusers",
        pipeline_tag=TASK,
        tags=[clean(tag) for tag in _tags(model)],
        model_name=_name(model.cell) if results else None,
        eval_results=results or None,
        **known,
    )


def licence(model: Model) -> str | None:
    """The identifier for the card; UserError when the user's is no identifier of the Hub.

    Without one: that of this project for what its own toy model learned of its own drawings, else
    none, because terms of weights and photos are not ours to judge.
    """
    if model.license is not None:
        return hub_licence(model.license)
    own = model.cell.dataset == "toyworld" and model.cell.backbone == "toy"
    return "apache-2.0" if own else None


def base_model(run: Run, cell: Cell) -> str | None:
    """The backbone's repository on the Hub, `owner/name`; None where it is not from there.

    A folder can be called as a repository is, so the run's note on its backbone decides.
    """
    if cell.backbone in HUB:
        return HUB[cell.backbone].repo
    match = HUB_ID.fullmatch(cell.backbone)
    note = str(run.about.get("backbone_note") or "")
    if match is not None and note.startswith(f"hub model {match['repo']}@"):
        return match["repo"]
    return None


def instance_prompt(text: str) -> str | None:
    """The prompt that a model_card.md names, None where it names none."""
    match = PROMPT.search(text)
    return clean(match[3]) if match else None


def scores(results: pd.DataFrame) -> list[Score]:
    """Means over all values of each metric with each encoder and reference, sorted by these.

    results: one cell's rows of results.parquet. Yardsticks, which are scores of real photos or of
    the untouched backbone, are left out, and so are values that are no finite number.
    """
    from benchmark.metrics import directions

    better = directions()
    found = []
    finite = results[results["value"].abs() < math.inf]
    for names, rows in finite.groupby(SCORE, dropna=False, sort=True):
        metric, encoder, reference = (name if isinstance(name, str) else None for name in names)
        assert metric is not None
        if better.get(metric) == "reference":
            continue
        mean = float(rows["value"].mean())
        found.append(Score(metric, encoder, reference, better.get(metric), mean, len(rows)))
    return found


def notes(model: Model, found: list[Score]) -> list[str]:
    """What must be known of the numbers: of the world and backbone first, then of metrics."""
    from benchmark.metrics import caveats

    warnings = caveats()
    return list(dict.fromkeys([*_of_all(model), *_known(warnings, found)]))


def _known(warnings: Mapping[str, str], found: list[Score]) -> Iterator[str]:
    return (warnings[score.metric] for score in found if score.metric in warnings)


def _of_all(model: Model) -> Iterator[str]:
    cell = model.cell
    if cell.dataset == "toyworld" or cell.backbone == "toy":
        yield TOY_NOTE
    if cell.backbone in BLANK:
        yield "the backbone has random weights: its pictures are noise"


def clean(text: str) -> str:
    """The text on one line, without characters that no terminal or parser should meet."""
    line = writable(" ".join(text.split()))
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _name(cell: Cell) -> str:
    preset = "" if cell.preset == "paper" else f"-{cell.preset}"
    return clean(f"{cell.method}{preset}-{cell.subject}-seed{cell.train_seed}")


def _tags(model: Model) -> Iterator[str]:
    yield from (TASK, *TAGS, model.cell.method)
    code = model.card.partition("```python")[2]
    yield from (tag for call, tag in LOADERS.items() if call in code)
    if model.cell.dataset in DATASET_NAMES:
        yield model.cell.dataset


def _eval_result(model: Model, score: Score) -> EvalResult:
    from huggingface_hub import EvalResult

    cell = model.cell
    kind, name = DATASETS.get(cell.dataset, OWN_PHOTOS)
    about = {
        "class_noun": clean(cell.class_noun),
        "training_photos": len(cell.seen),
        "prompts": len(cell.prompts),
        "seeds": len(cell.seeds),
        "protocol": clean(cell.protocol),
    }
    if caveat := "; ".join(_of_all(model)):
        about["caveat"] = caveat
        name += f" ({caveat})" if cell.dataset != "toyworld" else ""
    args = {"encoder": score.encoder, "reference": score.reference, "better": score.better}
    return EvalResult(
        task_type=TASK,
        task_name="Subject-driven text-to-image generation",
        dataset_type=kind,
        dataset_name=name,
        dataset_config=clean(cell.subject),
        dataset_split=clean(cell.split),
        dataset_args=about,
        metric_type=clean(score.metric),
        metric_name=clean(score.title),
        metric_value=score.mean,
        metric_args={**{k: clean(v) for k, v in args.items() if v}, "values": score.values},
    )


def _no_card(cell: Cell) -> str:
    return (
        f"# {verbatim(clean(cell.method))} of {verbatim(clean(cell.class_noun))}\n\n"
        "The method does not say how its checkpoint is loaded."
    )


def _from_hub(model: Model) -> str:
    lines = ["from huggingface_hub import snapshot_download", ""]
    backbone = model.cell.backbone
    if repo := base_model(model.run, model.cell):
        lines.append(f"backbone = {json.dumps(repo)}")
    elif backbone in NAMED:
        lines.insert(0, "from benchmark.backbones import open_backbone  # of textboost-bench")
        lines.append(f"backbone = open_backbone({json.dumps(backbone)}).folder")
    else:
        lines.append("backbone = ...  # not on the Hub: whoever made the checkpoint has it")
    lines.append('folder = snapshot_download("OWNER/NAME")')
    code = "\n".join(lines)
    return f"```python\n{code}\n```\n\n`OWNER/NAME` is the repository that holds this card."


def _training(model: Model) -> str:
    cell = model.cell
    repo = base_model(model.run, cell)
    told: dict[str, Any] = {
        "method, preset": f"{cell.method}, {cell.preset}",
        "its code": cell.code_version,
        "backbone": repo or public_name(cell.backbone),
        "backbone's revision": cell.backbone_revision,
        "training photos": len(cell.seen),
        "resolution": f"{cell.resolution} px",
        "seed": cell.train_seed,
        **{name: value for name, value in cell.compute.items() if name != "device"},
        **_counts(model.costs),
        "textboost-bench": model.made_by,
    }
    rows = [_row(name, value) for name, value in told.items() if value is not None]
    settings = [_row(f"settings.{name}", value) for name, value in sorted(cell.settings.items())]
    return "\n".join(["| what | value |", "|:---|:---|", *rows, *settings])


def _counts(costs: pd.DataFrame) -> dict[str, str]:
    """What was counted of the training; nothing where it was not."""
    wanted = {
        "steps": "steps done",
        "trainable_parameters": "trained parameters",
        "checkpoint_bytes": "checkpoint's bytes",
    }
    exact = costs[(costs["kind"] == "exact") & costs["measure"].isin(list(wanted))]
    values = dict(zip(exact["measure"], exact["value"], strict=True))
    return {told: f"{values[name]:,.0f}" for name, told in wanted.items() if name in values}


def _row(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"| {plain(clean(name))} | {plain(clean(text))} |"


def _results(model: Model, found: list[Score]) -> str:
    if not found:
        return "No metric was measured."
    cell = model.cell
    about = (
        f"Means over what textboost-bench measured on {verbatim(clean(cell.subject))}, split "
        f"{verbatim(clean(cell.split))}: {counted(len(cell.prompts), 'prompt')}, "
        f"{counted(len(cell.seeds), 'seed')}, protocol {verbatim(clean(cell.protocol))}. `unseen` "
        "compares with photos that were held out, `seen` with those that trained; the two are not "
        "to be averaged. What is not here was not measured. One subject says little of a method."
    )
    lines = ["| metric | encoder | reference | better | mean | values |"]
    lines.append("|:---|:---|:---|:---|---:|---:|")
    for score in found:
        names = (score.metric, score.encoder, score.reference, score.better)
        shown = " | ".join(plain(clean(name)) if name else "" for name in names)
        lines.append(f"| {shown} | {score.mean:.4g} | {score.values} |")
    warnings = [f"- {plain(note)}." for note in notes(model, found)]
    return "\n\n".join(part for part in (about, "\n".join(lines), "\n".join(warnings)) if part)


def _photos(dataset: str) -> str:
    none = "None of the photos is in this repository."
    if dataset == "toyworld":
        return "The subject is of the toy world, whose photos are drawings of textboost-bench."
    if dataset == "dreambench":
        return f"{dreambench_credit()} {none}"
    return f"It was trained on photos of whoever made the run, and can show their subject. {none}"


def _licence_note(model: Model) -> str:
    name = licence(model)
    if name is None:
        return (
            "Not stated by whoever made this card. The terms of the backbone's weights and of the "
            "photos apply."
        )
    return f"{plain(name)}. The terms of the backbone's weights and of the photos apply beside it."
