"""The model card of a checkpoint: what it is, how to ask for the subject, how to load it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.interface import Method, Task

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

FILE = "model_card.md"
TEMPLATE = "a photo of a {subject}"
# For `Method.loading` of TextBoost v2 and TextBoost++.
LIBRARY_LINES = """\
# Stock diffusers has no adapter that acts on the prompt from the new token on and nowhere else.
import textboost

textboost.load(pipe, folder)"""


def write(method: Method, pipe: DiffusionPipeline, task: Task, settings: Any, folder: Path) -> None:
    """Write `model_card.md` into the checkpoint's folder; all in it comes from the arguments."""
    nouns = " and ".join(verbatim(concept.class_noun) for concept in task.concepts)
    prompt = method.prompt(TEMPLATE, task, settings)
    card = f"""\
# {verbatim(method.name)} of {nouns}

- Method: {verbatim(method.name)}, {plain(method.summary)}
- Subject: {nouns}
- Prompt: {verbatim(prompt)}

To load it, with `backbone` the name or path of the backbone it was trained on and `folder` the
path of this folder:

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained(backbone)
{method.loading(pipe, task, settings)}
```
"""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(card, encoding="utf-8")


def token_lines(pipe: Any, words: Sequence[tuple[str, str]]) -> str:
    """Lines for `Method.loading` that load new words; words: (word, its file in the folder)."""
    if _two_encoders(pipe):
        found = ", ".join(f"{json.dumps(word)}: {json.dumps(file)}" for word, file in words)
        return _one_by_one(f"for token, file in {{{found}}}.items():", 'f"{folder}/{file}"')
    files = [f'f"{{folder}}/{file}"' for _, file in words]
    return f"pipe.load_textual_inversion([{', '.join(files)}])"


def token_folder_lines(pipe: Any, name: str) -> str:
    """Lines for `Method.loading` that load all words "<x>" of a folder's files x.safetensors."""
    start = f'from pathlib import Path\n\nfiles = sorted(Path(folder, "{name}").iterdir())\n'
    if _two_encoders(pipe):
        return start + _one_by_one('for file in files:\n    token = f"<{file.stem}>"', "file")
    return start + "pipe.load_textual_inversion([str(file) for file in files])"


def _one_by_one(loop: str, file: str) -> str:
    """SDXL's files have a key per text encoder, which diffusers wants one at a time."""
    return f"""\
from safetensors.torch import load_file

# Without this the pooled output is read at the highest token id: from now on a new word's.
for module in pipe.text_encoder_2.modules():
    if getattr(module, "eos_token_id", None) == 2:
        module.eos_token_id = pipe.tokenizer_2.eos_token_id

{loop}
    rows = load_file({file})
    pipe.load_textual_inversion(rows["clip_l"], token=token)
    second = {{"tokenizer": pipe.tokenizer_2, "text_encoder": pipe.text_encoder_2}}
    pipe.load_textual_inversion(rows["clip_g"], token=token, **second)"""


def _two_encoders(pipe: Any) -> bool:
    return getattr(pipe, "text_encoder_2", None) is not None


def verbatim(text: str) -> str:
    """Markdown that shows the text letter by letter, on one line."""
    text = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    # A space inside keeps the text's own backticks, or its emptiness, from ending the fence.
    pad = " " if not text or "`" in (text[0], text[-1]) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def plain(text: str) -> str:
    """Markdown that shows the text as it stands, on one line: no emphasis, link or tag."""
    return re.sub(r"([\\`*_\[\]<>#|~!&])", r"\\\1", " ".join(text.split()))
