"""The card of an exported dataset: README.md with the front matter that the Hub reads."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.disk import CONTROLS
from benchmark.errors import UserError, shown
from benchmark.paths import data_root
from benchmark.store import Run
from benchmark.subjects import DATASET_NAMES
from methods.model_card import plain, verbatim

if TYPE_CHECKING:
    import pandas as pd

TAGS = ("personalization", "subject-driven-generation", "textboost-bench")
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
COLUMNS = {
    "image": "the generated picture (`file_name` in metadata.parquet)",
    "method, preset": "what made it, and with which settings",
    "backbone": "the model that the method adapted",
    "dataset, photo_split": "whose photos it learned from, and which of them trained",
    "subject, class_noun": "the subject's name, and what it is",
    "prompt_id, prompt": "the prompt, with the class noun in the subject's place",
    "seed, train_seed": "of the picture's noise, and of the training",
    "protocol": "how the picture was sampled and scored",
    "run_image": "the picture's path in the run: `image` in tables/results.parquet",
}
CONTROLS_NOTE = (
    "Controls learn nothing: base is the untouched model, copy returns the training photo, oracle "
    "draws the right answer."
)
NO_SCORES = "No metric of this run scores single pictures."


@dataclass(frozen=True)
class Contents:
    """What the dataset holds."""

    run: Run
    rows: pd.DataFrame
    """metadata.parquet."""
    cells: Mapping[str, int]
    """Status -> cells of the run's plan."""
    held_back: int
    """Pictures left out because they are training photos."""
    license: str | None
    """As the user gave it."""
    made_by: str | None = None
    """`benchmark.environment_words.made_by`."""
    cautions: Sequence[str] = ()
    """What must be known of where the numbers come from."""


def licence(contents: Contents) -> str:
    """The identifier for the card; UserError when the user's is no identifier.

    Without one: that of this project for what its own toy model drew, else "unknown", because
    terms of weights and photos are not ours to judge.
    """
    given = contents.license
    if given is None:
        config = contents.run.config
        own = config.dataset == "toyworld" and config.backbone == "toy"
        return "apache-2.0" if own else "unknown"
    return hub_licence(given)


def hub_licence(given: str) -> str:
    """The licence as given; UserError when it is no identifier as the Hub spells them."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,49}", given):
        raise UserError(
            f"--license {shown(given)}: expected an identifier of the Hugging Face Hub such as "
            "cc-by-4.0 or openrail"
        )
    return given


def card(contents: Contents) -> str:
    """README.md. Every word of a user's is escaped."""
    from huggingface_hub import DatasetCardData

    title = contents.run.config.title or contents.run.config.name
    datasets = sorted(set(contents.rows["dataset"]))
    data = DatasetCardData(
        pretty_name=title,
        license=licence(contents),
        task_categories=["text-to-image"],
        size_categories=[_size(len(contents.rows))],
        tags=[*TAGS, *(name for name in datasets if name in DATASET_NAMES)],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": ["metadata.parquet", "images/**"]}],
            }
        ],
    )
    parts = [
        f"# {plain(title)}",
        _summary(contents),
        LOADING,
        *(f"**{plain(line)}**" for line in contents.cautions),
        "## Pictures",
        _methods(contents.rows),
        _left_out(contents),
        "## Columns",
        _columns(contents.rows),
        "## Photos",
        *(_photos(name, contents) for name in datasets),
        "## Licence",
        _licence_note(contents),
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


LOADING = """\
```python
from datasets import load_dataset

pictures = load_dataset("imagefolder", data_dir="FOLDER", split="train")
```

`FOLDER` is where this card lies. `tables/results.parquet` has all scores, those of whole sets of
pictures too, and `tables/costs.parquet` times and memory, for any tool that reads Parquet."""


def _size(pictures: int) -> str:
    return next((name for most, name in SIZES if pictures < most), "n>1M")


def _summary(contents: Contents) -> str:
    rows, about = contents.rows, contents.run.about
    backbones = ", ".join(plain(name) for name in sorted(set(rows["backbone"])))
    text = (
        f"{counted(len(rows), 'picture')} of {counted(rows['subject'].nunique(), 'subject')} by "
        f"{makers(rows)} for text-to-image personalization, on {backbones}, with their prompts, "
        "seeds and scores."
    )
    if contents.made_by:
        text += f" Made with textboost-bench {plain(contents.made_by)}."
    note = about.get("backbone_note")
    return f"{text}\n\nNote: {plain(str(note))}." if note else text


def makers(rows: pd.DataFrame) -> str:
    """Who made the pictures: "4 methods and 3 controls"."""
    names = set(rows["method"])
    controls = names & set(CONTROLS)
    kinds = {"method": len(names - controls), "control": len(controls)}
    return " and ".join(counted(number, kind) for kind, number in kinds.items() if number)


def counted(number: int, noun: str) -> str:
    """The number with its noun, whose plural ends in "s"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _methods(rows: pd.DataFrame) -> str:
    lines = [
        f"| {plain(str(method))}{' (control)' if method in CONTROLS else ''} "
        f"| {plain(str(preset))} | {part['subject'].nunique()} | {len(part)} |"
        for (method, preset), part in rows.groupby(["method", "preset"], sort=True)
    ]
    head = ["| method | preset | subjects | pictures |", "|:---|:---|---:|---:|"]
    return "\n".join([*head, *lines, "", CONTROLS_NOTE])


def _left_out(contents: Contents) -> str:
    cells = contents.cells
    text = f"Of {sum(cells.values())} planned cells (one method on one subject with one training "
    text += f"seed) {cells['done']} are done, {cells['failed']} failed and {cells['pending']} are "
    text += "pending; only cells that are done are here."
    if contents.held_back:
        text += f" {held_back(contents)}"
    return text


def held_back(contents: Contents) -> str:
    """A sentence on the pictures that were left out."""
    return (
        f"The control copy's pictures, {contents.held_back}, are left out: they are training "
        "photos. Its scores are in tables/."
    )


def _columns(rows: pd.DataFrame) -> str:
    lines = ["| column | meaning |", "|:---|:---|"]
    lines += [f"| {plain(names)} | {meaning} |" for names, meaning in COLUMNS.items()]
    scores = list(rows.columns[list(rows.columns).index("run_image") + 1 :])
    if not scores:
        return "\n".join(lines) + f"\n\n{NO_SCORES}"
    named = ", ".join(verbatim(name) for name in scores)
    return "\n".join(lines) + (
        f"\n\nScores, named metric/reference/encoder: {named}. `unseen` compares with photos that "
        "were held out, `seen` with those that trained; the two are not to be averaged. A missing "
        "value was not measured."
    )


def _photos(dataset: str, contents: Contents) -> str:
    none = "None of the photos is in this dataset."
    if dataset == "toyworld":
        return "Subjects are of the toy world, whose photos are drawings of textboost-bench."
    if dataset == "dreambench":
        return f"{dreambench_credit()} {none}"
    return (
        "The methods learned a subject from photos of whoever made the run, and the pictures show "
        f"that subject. {none}"
    )


def dreambench_credit() -> str:
    """Whose photos DreamBench's are and under which licence, in Markdown; two sentences."""
    text = (data_root() / "dreambench" / "provenance.toml").read_text(encoding="utf-8")
    source: dict[str, Any] = tomllib.loads(text)
    return (
        f"The methods learned subjects from the {source['title']} by "
        f"{', '.join(source['authors'])} (<{source['source']['repository']}>), licensed under "
        f"[{source['license']}]({source['license_url']}); {source['paper']}. Who took which photo "
        "is told in `references_and_licenses.txt` there."
    )


def _licence_note(contents: Contents) -> str:
    name = licence(contents)
    if contents.license is None and name == "unknown":
        return (
            "Not stated by whoever made this export. The terms of the backbone's weights and of "
            "the photos apply."
        )
    return f"{plain(name)}. The terms of the backbone's weights and of the photos apply beside it."
