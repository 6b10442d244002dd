import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.backbones import folder as folders
from benchmark.backbones import open_backbone
from benchmark.errors import UserError


@pytest.fixture
def copy(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline of this test's own, with a cache of its own."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_backbone, tmp_path / "pipeline"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(name: str) -> str:
    with pytest.raises(UserError) as caught:
        open_backbone(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_local_folder_has_its_files_revision_and_resolution(copy: Path) -> None:
    backbone = open_backbone(str(copy))
    assert (backbone.name, backbone.folder, backbone.resolution) == (str(copy), copy, 32)
    assert backbone.note == "local folder"
    assert len(backbone.captions()) > 100
    again = open_backbone.__wrapped__(str(copy))
    assert again.revision == backbone.revision


def test_large_files_are_hashed_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def counting(path: Path) -> str:
        hashed.append(path.name)
        return real(path)

    real = folders.checksum
    expected = folders.folder_revision(copy)
    monkeypatch.setattr(folders, "checksum", counting)
    monkeypatch.setattr(folders, "LARGE", 10_000)
    assert folders.folder_revision(copy) == expected
    large = [name for name in hashed if name.endswith(".safetensors")]
    assert len(large) == 3
    hashed.clear()
    assert folders.folder_revision(copy) == expected
    assert not [name for name in hashed if name.endswith(".safetensors")]

    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    hashed.clear()
    assert folders.folder_revision(copy) != expected
    assert [name for name in hashed if name.endswith(".safetensors")] == [weights.name]
    assert folders.folder_revision(copy) != expected

    # Other weights of the same size and the same time, as from an archive with fixed times.
    state = weights.stat()
    other = weights.with_name("other")
    other.write_bytes(weights.read_bytes()[:-1] + b"\2")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    before = folders.folder_revision(copy)
    other.replace(weights)
    assert weights.stat().st_mtime_ns == state.st_mtime_ns
    assert folders.folder_revision(copy) != before


def test_a_cache_that_cannot_be_written_does_no_harm(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = folders.folder_revision(copy)
    (copy.parent / "cache").write_text("a file in the way")
    monkeypatch.setattr(folders, "LARGE", 1)
    assert folders.folder_revision(copy) == expected


def test_pickled_weights_are_refused(copy: Path) -> None:
    for part in ("unet", "vae"):
        weights = copy / part / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
    message = refusal(str(copy))
    assert "lacks unet/diffusion_pytorch_model.safetensors, vae/diffusion" in message
    assert "text_encoder" not in message
    assert "pickled weights, .bin or .ckpt, are never read" in message


def test_half_precision_variants_alone_are_refused(copy: Path) -> None:
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert "lacks unet/diffusion_pytorch_model.safetensors" in refusal(str(copy))


def test_shards_count_as_weights_when_all_are_there(copy: Path) -> None:
    weights = copy / "text_encoder" / "model.safetensors"
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {"first": shards[0], "second": shards[1], "third": shards[1]}}
    weights.with_name("model.safetensors.index.json").write_text(json.dumps(index))
    weights.rename(weights.with_name(shards[0]))
    assert f"lacks text_encoder/{shards[1]};" in refusal(str(copy))
    weights.with_name(shards[1]).touch()
    assert open_backbone(str(copy)).resolution == 32


@pytest.mark.parametrize("found", ["FluxPipeline", None])
def test_another_pipeline_is_refused_by_name(copy: Path, found: str | None) -> None:
    edit(copy / "model_index.json", _class_name=found)
    message = refusal(str(copy))
    assert f"holds a {found}; expected StableDiffusionPipeline or StableDiffusionXL" in message


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json"])
def test_a_configuration_that_is_no_json_is_named(copy: Path, name: str) -> None:
    (copy / name).write_text("{")
    assert f"{name} cannot be read; expected a pipeline" in refusal(str(copy))


def test_an_unknown_name_lists_what_there_is() -> None:
    message = refusal("sdx1")
    assert "unknown backbone 'sdx1'; did you mean 'sdxl'" in message
    for name in ("toy", "sd14", "sd15", "sd21-base", "sd21", "blank-sd15", "blank-sdxl"):
        assert name in message


def test_the_layout_of_the_published_files_loads(tiny_backbone: Path, copy: Path) -> None:
    """Names of tensors and fields as they are in the hub's repositories, which are older."""
    weights = copy / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(weights).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(32)[None]
    save_file(tensors, weights, {"format": "pt"})
    edit(copy / "text_encoder" / "config.json", bos_token_id=0, eos_token_id=2)
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(weights)
    for new, old in older.items():
        tensors = {name.replace(f".{new}.", f".{old}."): t for name, t in tensors.items()}
    assert any(".proj_attn." in name for name in tensors)
    save_file(tensors, weights, {"format": "pt"})

    new, old = (open_backbone(str(folder)).load("cpu", "fp32") for folder in (tiny_backbone, copy))
    for part in ("text_encoder", "vae"):
        expected = getattr(new, part).state_dict()
        found = getattr(old, part).state_dict()
        assert expected.keys() == found.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    # The end of text that the older files give wrongly is put right, so added tokens do no harm.
    assert old.text_encoder.eos_token_id == old.tokenizer.eos_token_id != 2
