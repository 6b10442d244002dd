"""Probes: what the trained and the untouched model make of prompts that leave the subject out.

Some metrics ask what training did to everything else. For them a cell makes two more sets of
pictures after its own, with the very model that it has trained:

- `class`: pictures of "a CLASS", the class noun alone (DreamBooth's prior preservation metric);
- `drift`: one picture of each line of `datasets/prompts/drift.txt`, and the prompts' embeddings.

The untouched backbone makes the same from the same noise, in batches of the same size, so that a
model that did not change gives the very same pictures. Its pictures are made once and lie in
`cache_root()/probes/HASH`, where HASH covers everything that they depend on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.atomic import digest, write_bytes
from benchmark.cache_folder import cache_folder
from benchmark.generate import Sampling, batches, noise_seed, sample
from benchmark.metrics.probed import Probed, Two
from benchmark.paths import data_root
from benchmark.pictures import read_picture, write_picture
from benchmark.records import read_intact, write_sealed
from benchmark.torch_environment import made_with

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from benchmark.metrics.encoders import Picture
    from benchmark.metrics.evidence import Rows

CLASS_PICTURES = 8
BATCH = 8

Counts = Mapping[str, int]
"""Prompt -> how many pictures of it."""


def probe_prompts(kinds: Collection[str], class_noun: str) -> dict[str, dict[str, int]]:
    """What a cell's probes are, for those of the kinds `class` and `drift` that are asked for."""
    asked: dict[str, dict[str, int]] = {}
    if "class" in kinds:
        asked["class"] = {f"a {class_noun}": CLASS_PICTURES}
    if "drift" in kinds:
        text = (data_root() / "prompts" / "drift.txt").read_text(encoding="utf-8")
        asked["drift"] = dict.fromkeys(text.splitlines(), 1)
    return asked


class Prober:
    """Makes the probes of one cell.

    `probes` is `probe_prompts`' answer as the cell holds it; `backbone` and `precision` say what
    the untouched model is, `load` opens a pipeline of it. `report` is called with (done, total).
    """

    def __init__(
        self,
        probes: Mapping[str, Counts],
        sampling: Sampling,
        backbone: str,
        precision: str,
        device: str,
        load: Callable[[], DiffusionPipeline],
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.probes = probes
        self.sampling = sampling
        self.identity = [backbone, precision, made_with(__name__, device), asdict(sampling), BATCH]
        self.load = load
        self.report = report

    def trained(self, pipe: DiffusionPipeline, folder: Path, origin: str) -> Side:
        """The trained model's side: pictures in `folder`, marked with `origin`."""
        found: Side = {}
        for kind, counts in self.probes.items():
            paths = self._pictures(lambda: pipe, counts, folder / kind, origin)
            found[kind] = paths, (end_of_text(pipe, list(counts)) if kind == "drift" else [])
        return found

    def untouched(self) -> Side:
        """The backbone's side, from the cache where it is there. Opens it at most once."""
        opened: list[DiffusionPipeline] = []

        def pipe() -> DiffusionPipeline:
            if not opened:
                opened.append(self.load())
            return opened[0]

        found: Side = {}
        for kind, counts in self.probes.items():
            identity = digest([*self.identity, dict(counts)], 24)
            with cache_folder("probes", identity) as folder:
                paths = self._pictures(pipe, counts, folder, identity)
                texts = _kept_texts(folder, pipe, list(counts), identity) if kind == "drift" else []
            found[kind] = paths, texts
        return found

    def _pictures(
        self, pipe: Callable[[], DiffusionPipeline], counts: Counts, folder: Path, origin: str
    ) -> list[Path]:
        """The files, in order; those that are missing or not of this origin are made."""
        wanted = [(prompt, i) for prompt, count in counts.items() for i in range(count)]
        paths = [folder / f"{place:03d}.png" for place in range(len(wanted))]
        slices = zip(batches(wanted, BATCH), batches(paths, BATCH), strict=True)
        for number, (batch, files) in enumerate(slices):
            self.report(number * BATCH, len(wanted))
            if all(read_picture(file, origin) for file in files):
                continue
            seeds = [noise_seed("probe", prompt, i) for prompt, i in batch]
            images = sample(pipe(), [prompt for prompt, _ in batch], seeds, self.sampling)
            for (prompt, i), file, image in zip(batch, files, images, strict=True):
                write_picture(file, image, origin, {"prompt": prompt, "number": str(i)})
        return paths


Side = dict[str, tuple[list[Path], "list[Rows]"]]
"""Kind -> files of pictures, and the prompts' embeddings by each text encoder."""


def both(trained: Side, untouched: Side) -> Probed:
    """Both sides together, for metrics to look at."""
    pictures: dict[str, Two[Sequence[Picture]]] = {
        kind: Two(files, untouched[kind][0]) for kind, (files, _) in trained.items()
    }
    texts = [
        Two(mine, base)
        for kind, (_, embedded) in trained.items()
        for mine, base in zip(embedded, untouched[kind][1], strict=True)
    ]
    return Probed(pictures, tuple(texts))


def end_of_text(pipe: DiffusionPipeline, prompts: Sequence[str]) -> list[Rows]:
    """[n, width] for each text encoder: the state at the end of each prompt, of length 1.

    The state is the one that the UNet reads: after the last layer in Stable Diffusion, the last but
    one in SDXL. It is taken where the text ends, which is where CLIP takes a text's embedding from.
    A prompt that is too long is cut, as the pipeline cuts it.
    """
    import torch

    from textboost.conditioning import encode, text_encoders

    with torch.no_grad():
        states = encode(pipe, prompts).states
    found = []
    widths = [encoder.config.hidden_size for _, encoder in text_encoders(pipe)]
    parts = torch.split(states, widths, dim=-1)
    for (tokenizer, _), part in zip(text_encoders(pipe), parts, strict=True):
        last = tokenizer.model_max_length - 1
        ends = [min(last, len(tokenizer(prompt).input_ids) - 1) for prompt in prompts]
        rows = part[torch.arange(len(prompts)), ends].float()
        normed: Rows = torch.nn.functional.normalize(rows, dim=1).cpu().numpy()
        found.append(normed)
    return found


def _kept_texts(
    folder: Path, pipe: Callable[[], DiffusionPipeline], prompts: Sequence[str], origin: str
) -> list[Rows]:
    """The prompts' embeddings from the cache; made where they are not there as written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    path, record = folder / "texts.safetensors", folder / "texts.json"
    try:
        kept = load(content := path.read_bytes())
        if read_intact(record) != {"origin": origin, "sha256": hashlib.sha256(content).hexdigest()}:
            raise ValueError("not what was written here")
    except (OSError, SafetensorError, ValueError):
        rows = end_of_text(pipe(), prompts)
        kept = {str(number): part for number, part in enumerate(rows)}
        write_bytes(path, content := save(kept))
        write_sealed(record, {"origin": origin, "sha256": hashlib.sha256(content).hexdigest()})
    return [kept[str(number)] for number in range(len(kept))]
