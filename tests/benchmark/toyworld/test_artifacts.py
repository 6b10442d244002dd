"""The embedded models: small, safe, loadable by stock libraries, and as good as their card says."""

import re

import numpy as np
import open_clip
import pytest
import torch
from diffusers import StableDiffusionPipeline

from benchmark.paths import data_root
from benchmark.toyworld.captions import parse, plain_caption
from benchmark.toyworld.draw import draw
from benchmark.toyworld.scenes import Scene
from benchmark.toyworld.train.diffusion import generate
from benchmark.toyworld.train.quality import unseen_prompts
from benchmark.toyworld.train.zeroshot import accuracies, open_reader

ROOT = data_root() / "toyworld"


def test_all_files_together_are_at_most_20_megabytes_and_hold_no_pickle() -> None:
    files = [file for file in ROOT.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 20_000_000
    assert not any("_name_or_path" in file.read_text() for file in ROOT.rglob("config.json"))
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".txt", ".md", ".png"}


def test_the_pipeline_loads_with_stock_diffusers_and_says_what_it_is() -> None:
    pipe = StableDiffusionPipeline.from_pretrained(ROOT / "backbone")
    assert type(pipe.unet).__name__ == "UNet2DConditionModel"
    assert type(pipe.vae).__name__ == "AutoencoderKL"
    assert type(pipe.text_encoder).__name__ == "CLIPTextModel"
    assert pipe.scheduler.config.prediction_type == "epsilon"
    # A word that no caption holds is spelled, not lost; identifiers are single words.
    assert pipe.tokenizer.tokenize("xylophone") != []
    assert pipe.tokenizer.tokenize("sks") == ["sks</w>"]


def test_the_clip_loads_with_stock_open_clip_and_tells_a_dog_from_a_teapot() -> None:
    name = f"local-dir:{ROOT / 'clip'}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    model.eval()
    texts = open_clip.get_tokenizer(name)(["a dog", "a teapot"])
    pictures = [draw(Scene(noun, "green", accent="red")) for noun in ("dog", "teapot")]
    with torch.inference_mode():
        seen = torch.nn.functional.normalize(
            model.encode_image(torch.stack([preprocess(picture) for picture in pictures])), dim=-1
        )
        read = torch.nn.functional.normalize(model.encode_text(texts), dim=-1)
    assert (seen @ read.T).argmax(dim=1).tolist() == [0, 1]


def test_captions_are_in_the_words_of_the_world() -> None:
    lines = (ROOT / "captions.txt").read_text().splitlines()
    assert len(lines) >= 200
    assert sum("class" in parse(line) for line in lines) > 0.9 * len(lines)


@pytest.mark.long
@pytest.mark.slow
def test_generated_pictures_reach_the_bar_on_unseen_prompts() -> None:
    pipe = StableDiffusionPipeline.from_pretrained(ROOT / "backbone", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    facts = unseen_prompts(120, seed=1)
    pictures = generate(pipe, [plain_caption(f) for f in facts], guidance=5.0, steps=25, seed=0)
    measured = accuracies(open_reader(ROOT / "clip"), pictures, facts)
    card = (ROOT / "README.md").read_text()
    claimed = re.search(r"generated pictures \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)%", card)
    assert claimed is not None
    for kind, share in zip(("class", "background", "color"), claimed.groups(), strict=True):
        assert float(share) >= 85.0, kind
        assert measured[kind] >= 0.85 - 0.05, kind  # 120 other prompts: a wider margin
    assert np.asarray(pictures).std() > 20
