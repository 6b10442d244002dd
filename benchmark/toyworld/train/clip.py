"""The toy CLIP: an open_clip model whose training knows which texts are true of which pictures.

In a batch, text i matches picture j when every fact the text states holds for the picture. Both
directions are trained towards all their matches, not towards the text's own picture alone. Lies,
texts with one fact changed, are what a picture must be told from.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmark import atomic
from benchmark.toyworld.captions import plain_caption
from benchmark.toyworld.models import clip_config
from benchmark.toyworld.scenes import BACKGROUNDS
from benchmark.toyworld.train import tokenizer as tokens
from benchmark.toyworld.train.autoencoder import as_pixels
from benchmark.toyworld.train.corpus import FACTS, Corpus, code, open_corpus
from benchmark.toyworld.train.loop import Order, Recipe, Training
from benchmark.toyworld.train.zeroshot import accuracies, facts_of, open_reader

BATCH = 128
RECIPE = Recipe("clip", rate=2e-3, warmup=100, decay_share=0.7, betas=(0.9, 0.98), ema=0.998)
KEYS = tuple(FACTS)
# Kinds of short texts and the facts they state; "a dog", "a red dog", "in the snow", ...
SHORT = (
    ("class",),
    ("class", "color"),
    ("class", "color"),
    ("class", "background"),
    ("class", "color", "background"),
    ("class", "pattern"),
    ("background",),
)
# Half of the batches show a few class nouns only: among many, "a red dog" meets so few other dogs
# that colours are hardly learned.
FEW_CLASSES = 3
SHARE_OF_CAPTIONS = 0.3
# Texts beside each batch that are right about the class and wrong about a colour or a pattern.
LIES = 64
SHARE_OF_RECONSTRUCTIONS = 0.4


def train(order: Order) -> bool:
    """Trains and saves `work/clip/model`, loadable as `local-dir:`."""
    torch.manual_seed(order.seed)
    corpus, held_out = open_corpus(order.work, "train"), open_corpus(order.work, "held-out")
    tokenizer = tokens.load(order.work)
    config = clip_config(len(tokenizer), tokenizer.eos_token_id)
    model = open_clip.model.CLIP(**_arguments(config))
    model.visual.to(memory_format=torch.channels_last)
    training = Training(RECIPE, order, {"clip": model})
    blurred_path = order.work / "vae" / "reconstructions.npy"
    blurred = np.load(blurred_path, mmap_mode="r") if blurred_path.exists() else None

    def loss_of(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        seed = int(torch.randint(1 << 62, (1,), generator=generator))
        chosen = choose(corpus, np.random.default_rng(seed))
        rng = random.Random(seed)
        texts, states = batch_texts(corpus, chosen, rng)
        false_texts, false_states = lies(corpus, chosen[:LIES], rng)
        pictures = _pictures(corpus, blurred, chosen, seed)
        pixels = augmented(as_pixels(pictures), generator)
        truth = matches(
            torch.from_numpy(np.concatenate([states, false_states])),
            torch.from_numpy(corpus.facts[chosen]),
        )
        with torch.autocast("cpu", torch.bfloat16):
            seen = functional.normalize(model.encode_image(pixels).float(), dim=-1)
            read = functional.normalize(
                model.encode_text(tokens.encode(tokenizer, texts + false_texts)).float(), dim=-1
            )
        scale = model.logit_scale.clamp(max=float(np.log(100))).exp()
        logits = scale * read @ seen.T
        loss = 0.5 * (multi_positive(logits, truth) + multi_positive(logits.T, truth.T))
        hit = truth[logits.argmax(dim=0), torch.arange(BATCH)].float().mean()
        return loss, {"hit": float(hit), "scale": float(scale.detach())}

    if not training.run(loss_of):
        return False
    with torch.no_grad():
        for key, value in training.averaged().items():
            training.parameters[key].copy_(value)
        # Batch statistics belong to the weights before averaging: gather them anew.
        _refresh_statistics(model, corpus, blurred)
    save(order.work / "clip" / "model", model, config, order.work / "tokenizer")
    reader = open_reader(order.work / "clip" / "model")
    figures = accuracies(reader, held_out.pictures, facts_of(held_out))
    atomic.write_json(order.work / "clip" / "quality.json", figures)
    print(f"clip: {figures}", flush=True)
    return True


def choose(corpus: Corpus, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pictures of one batch [BATCH]: any, or with equal odds those of `FEW_CLASSES` class nouns."""
    if rng.random() < 0.5:
        return rng.integers(len(corpus.pictures), size=BATCH)
    column = KEYS.index("class")
    nouns = rng.choice(len(FACTS["class"]), FEW_CLASSES, replace=False)
    return rng.choice(np.flatnonzero(np.isin(corpus.facts[:, column], nouns)), BATCH)


def batch_texts(
    corpus: Corpus, chosen: NDArray[np.int64], rng: random.Random
) -> tuple[list[str], NDArray[np.int8]]:
    """One text for each chosen picture, and the codes of the facts it states [b, 9]."""
    texts, states = [], np.empty((len(chosen), len(KEYS)), np.int8)
    for row, i in enumerate(chosen):
        kind = rng.choice(SHORT)
        if rng.random() < SHARE_OF_CAPTIONS:
            j = rng.randrange(len(corpus.texts[i]))
            texts.append(corpus.texts[i][j])
            states[row] = corpus.states[i, j]
            continue
        facts = facts_of_picture(corpus, i)
        said = {key: facts[key] for key in kind if facts[key] not in ("unseen", "studio")}
        said = said or {"class": facts["class"]}
        texts.append(short_text(said))
        states[row] = code(said)
    return texts, states


def lies(
    corpus: Corpus, chosen: NDArray[np.int64], rng: random.Random
) -> tuple[list[str], NDArray[np.int8]]:
    """A text for each chosen picture with one wrong fact, most often the colour; and its codes."""
    texts, states = [], np.empty((len(chosen), len(KEYS)), np.int8)
    for row, i in enumerate(chosen):
        facts = facts_of_picture(corpus, i)
        key = "pattern" if facts["color"] == "unseen" or rng.random() < 0.2 else "color"
        others = [name for name in FACTS[key] if name not in (facts[key], "unseen")]
        wrong = rng.choice(others)
        if key == "color" and facts["accent"] in others and rng.random() < 0.2:
            wrong = facts["accent"]
        said = {"class": facts["class"], key: wrong}
        if facts["background"] != "studio" and rng.random() < 0.3:
            said["background"] = facts["background"]
        texts.append(short_text(said))
        states[row] = code(said)
    return texts, states


def facts_of_picture(corpus: Corpus, i: int) -> dict[str, str]:
    """Facts of drawing i by name."""
    return {key: names[corpus.facts[i, k]] for k, (key, names) in enumerate(FACTS.items())}


def short_text(states: dict[str, str]) -> str:
    """The plain caption, or the place alone where only the background is stated."""
    return plain_caption(states) if "class" in states else BACKGROUNDS[states["background"]]


def matches(states: Tensor, facts: Tensor) -> Tensor:
    """Truth [texts, pictures]: all that text i states (-1: nothing) holds for picture j."""
    stated, shown = states[:, None, :], facts[None, :, :]
    return ((stated < 0) | (stated == shown)).all(dim=-1)


def multi_positive(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of each row towards its matches, which share the probability evenly."""
    counts = truth.sum(dim=1, keepdim=True)
    wanted = truth / counts.clamp(min=1)
    losses = -(wanted * logits.log_softmax(dim=1)).sum(dim=1)
    matched = counts[:, 0] > 0
    return losses[matched].mean()


def augmented(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift and zoom up to 10 %, blur, noise and brightness, each picture its own."""
    n = len(pixels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    place = torch.zeros(n, 2, 3)
    place[:, 0, 0] = place[:, 1, 1] = uniform(0.92, 1.1)
    place[:, :, 2] = uniform(-0.12, 0.12, 2)
    grid = functional.affine_grid(place, list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(
        pixels, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    soft = functional.avg_pool2d(functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    blur = uniform(-0.8, 0.8, 1, 1, 1).clamp(min=0)
    mixed = moved + blur * (soft - moved)
    noise = torch.randn(mixed.shape, generator=generator) * uniform(-0.05, 0.08, 1, 1, 1).clamp(0)
    lit = (mixed + noise) * uniform(0.96, 1.03, 1, 1, 1) + uniform(-0.02, 0.02, 1, 1, 1)
    return lit.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def _pictures(
    corpus: Corpus, blurred: NDArray[np.uint8] | None, chosen: NDArray[np.int64], seed: int
) -> NDArray[np.uint8]:
    """The drawings, some of them as the autoencoder shows them."""
    if blurred is None:
        return corpus.pictures[chosen]
    rng = np.random.default_rng(seed)
    again = (chosen < len(blurred)) & (rng.random(len(chosen)) < SHARE_OF_RECONSTRUCTIONS)
    pictures = corpus.pictures[chosen]
    pictures[again] = blurred[chosen[again]]
    return pictures


def _refresh_statistics(model: Any, corpus: Corpus, blurred: NDArray[np.uint8] | None) -> None:
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches below
    model.train()
    for step in range(40):
        generator = torch.Generator().manual_seed(step)
        chosen = torch.randint(len(corpus.pictures), (BATCH,), generator=generator).numpy()
        model.encode_image(
            augmented(as_pixels(_pictures(corpus, blurred, chosen, step)), generator)
        )
    model.eval()


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    shape = config["model_cfg"]
    text = {k: v for k, v in shape["text_cfg"].items() if k != "hf_tokenizer_name"}
    return {"embed_dim": shape["embed_dim"], "vision_cfg": shape["vision_cfg"], "text_cfg": text}


def save(folder: Path, model: nn.Module, config: dict[str, Any], tokenizer: Path) -> None:
    """Half-precision weights, configuration and tokenizer, as open_clip's `local-dir:` reads."""
    with atomic.new_folder(folder) as fresh:
        weights = {
            key: value.half().contiguous() if value.is_floating_point() else value
            for key, value in model.state_dict().items()
        }
        save_file(weights, fresh / "open_clip_model.safetensors")
        atomic.write_json(fresh / "open_clip_config.json", config)
        for file in tokenizer.iterdir():
            shutil.copyfile(file, fresh / file.name)
