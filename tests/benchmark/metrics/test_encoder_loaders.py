"""The published encoders, with random weights in the place of their downloads."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms
from transformers import CLIPConfig, CLIPModel

from benchmark import encoder_sources
from benchmark.encoder_sources import encoder_revision, source_of
from benchmark.errors import UserError
from benchmark.metrics.encoders import open_encoder

SMALL_DINO = {"depth": 2, "embed_dim": 48, "num_heads": 3}
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
TEXTS = ["a dog in the snow", "a red teapot", "the Eiffel tower behind a can"]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Stands in for the hub: its folders hold what a test puts there."""
    monkeypatch.setattr(encoder_sources, "fetch", lambda name, repo, files: tmp_path / repo)
    open_encoder.cache_clear()

    def folder(repo):
        (tmp_path / repo).mkdir(parents=True)
        return tmp_path / repo

    return folder


def photo(seed, size=(300, 260)):
    pixels = np.random.default_rng(seed).integers(0, 256, (26, 30, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def published(resize, crop, mean, std):
    """The evaluation transform as the authors write it, by torchvision."""
    bicubic = transforms.InterpolationMode.BICUBIC
    return transforms.Compose(
        [
            transforms.Resize(resize, bicubic),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )


@pytest.mark.parametrize(
    ("name", "model", "side"),
    [
        ("dino-vits16", "vit_small_patch16_224.dino", 224),
        ("dinov2-vits14", "vit_small_patch14_dinov2.lvd142m", 518),
    ],
)
def test_dino_gives_the_class_token_of_the_published_picture(hub, name, model, side):
    torch.manual_seed(0)
    network = timm.create_model(model, pretrained=False, num_classes=0).eval()
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    save_file(network.state_dict(), hub(f"timm/{model}") / "model.safetensors")

    encoder = open_encoder(name)
    images = [photo(1), photo(2, (200, 400))]
    prepare = published(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    batch = torch.stack([prepare(image) for image in images])
    if side != 224:
        network.set_input_size((224, 224))
    with torch.inference_mode():
        tokens = network.forward_features(batch)[:, 0]
    expected = torch.nn.functional.normalize(tokens, dim=1).numpy()
    np.testing.assert_allclose(encoder.images(images), expected, atol=2e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    assert encoder.revision == encoder_revision(name)
    assert not encoder.has_text


def test_openais_clip_agrees_with_transformers(hub):
    """A small CLIP with the real vocabulary: image and text features, and the cosines of CLIP-T."""
    width, layers, heads, patch, side, joint = 64, 2, 1, 16, 32, 24
    torch.manual_seed(0)
    theirs = CLIPModel(
        CLIPConfig(
            text_config={
                "hidden_size": width,
                "intermediate_size": 4 * width,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "hidden_act": "quick_gelu",
                "bos_token_id": 49406,
                "eos_token_id": 49407,
            },
            vision_config={
                "hidden_size": width,
                "intermediate_size": 4 * width,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "image_size": side,
                "patch_size": patch,
                "hidden_act": "quick_gelu",
            },
            projection_dim=joint,
        )
    ).eval()
    for parameter in theirs.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    folder = hub("timm/vit_base_patch32_clip_224.openai")
    tower = {"layers": layers, "width": width}
    config = {
        "model_cfg": {
            "embed_dim": joint,
            "vision_cfg": {**tower, "image_size": side, "patch_size": patch, "head_width": width},
            "text_cfg": {**tower, "heads": heads, "context_length": 77, "vocab_size": 49408},
        },
        "preprocess_cfg": {
            **{"mean": CLIP_MEAN, "std": CLIP_STD},
            **{"interpolation": "bicubic", "resize_mode": "shortest"},
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(as_open_clip(theirs, layers), folder / "open_clip_model.safetensors")

    encoder = open_encoder("clip-vit-b-32")
    images = [photo(1), photo(2, (200, 400)), photo(3, (64, 64))]
    prepare = published(side, side, CLIP_MEAN, CLIP_STD)
    ids = open_clip.get_tokenizer("ViT-B-32")(TEXTS)
    mask = (ids.cumsum(1) != ids.cumsum(1)[:, -1:]).long()
    with torch.inference_mode():
        out = theirs(
            pixel_values=torch.stack([prepare(image) for image in images]),
            input_ids=ids.masked_fill(ids == 0, 49407),
            attention_mask=torch.nn.functional.pad(mask, (1, 0), value=1)[:, :-1],
        )
    np.testing.assert_allclose(encoder.images(images), out.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.texts(TEXTS), out.text_embeds.numpy(), atol=1e-5)
    cosines = (out.image_embeds @ out.text_embeds.T).numpy()
    assert np.ptp(cosines) > 1e-3
    np.testing.assert_allclose(encoder.images(images) @ encoder.texts(TEXTS).T, cosines, atol=1e-5)
    assert encoder.revision == encoder_revision("clip-vit-b-32")


def as_open_clip(model, layers):
    """Weights of transformers' CLIP under open_clip's names."""
    given = model.state_dict()
    made = {"logit_scale": given["logit_scale"]}
    for part, ours, theirs in (
        ("text_model", "transformer.resblocks", "text_model.encoder.layers"),
        ("vision_model", "visual.transformer.resblocks", "vision_model.encoder.layers"),
    ):
        assert any(name.startswith(part) for name in given)
        for layer in range(layers):
            here, there = f"{ours}.{layer}", f"{theirs}.{layer}"
            for kind in ("weight", "bias"):
                qkv = [given[f"{there}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
                made[f"{here}.attn.in_proj_{kind}"] = torch.cat(qkv)
                for own, other in (
                    ("attn.out_proj", "self_attn.out_proj"),
                    ("ln_1", "layer_norm1"),
                    ("ln_2", "layer_norm2"),
                    ("mlp.c_fc", "mlp.fc1"),
                    ("mlp.c_proj", "mlp.fc2"),
                ):
                    made[f"{here}.{own}.{kind}"] = given[f"{there}.{other}.{kind}"]
    for kind in ("weight", "bias"):
        made[f"ln_final.{kind}"] = given[f"text_model.final_layer_norm.{kind}"]
        made[f"visual.ln_pre.{kind}"] = given[f"vision_model.pre_layrnorm.{kind}"]
        made[f"visual.ln_post.{kind}"] = given[f"vision_model.post_layernorm.{kind}"]
    embeddings = "vision_model.embeddings"
    return {
        name: tensor.contiguous().clone()
        for name, tensor in (
            made
            | {
                "token_embedding.weight": given["text_model.embeddings.token_embedding.weight"],
                "positional_embedding": given["text_model.embeddings.position_embedding.weight"],
                "text_projection": given["text_projection.weight"].T,
                "visual.proj": given["visual_projection.weight"].T,
                "visual.conv1.weight": given[f"{embeddings}.patch_embedding.weight"],
                "visual.class_embedding": given[f"{embeddings}.class_embedding"],
                "visual.positional_embedding": given[f"{embeddings}.position_embedding.weight"],
            }
        ).items()
    }


def test_any_timm_network_from_a_file_is_prepared_as_timm_records(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("resnet10t.c3_in1k", pretrained=False).eval()
    file = tmp_path / "own.safetensors"
    save_file(network.state_dict(), file)
    encoder = open_encoder(f"timm:resnet10t.c3_in1k@{file}")
    headless = timm.create_model("resnet10t.c3_in1k", pretrained=False, num_classes=0).eval()
    headless.load_state_dict(network.state_dict(), strict=False)
    record = timm.get_pretrained_cfg("resnet10t.c3_in1k")
    transform = timm.data.create_transform(
        **timm.data.resolve_data_config({}, pretrained_cfg=record.to_dict())
    )
    image = photo(4)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(headless(transform(image)[None])).numpy()
    np.testing.assert_allclose(encoder.images([image]), expected, atol=1e-4)


def test_a_users_open_clip_file_is_read_strictly(tmp_path):
    file = tmp_path / "half.safetensors"
    save_file({"logit_scale": torch.ones(())}, file)
    with pytest.raises(UserError, match=r"half\.safetensors does not fit RN50: "):
        open_encoder(f"open_clip:RN50@{file}")
    with pytest.raises(UserError, match="open_clip has no model 'ViT-X'"):
        open_encoder(f"open_clip:ViT-X@{file}")
    with pytest.raises(UserError, match=r"half\.safetensors does not fit resnet10t"):
        open_encoder(f"timm:resnet10t.c3_in1k@{file}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip-vit-b32", "did you mean 'clip-vit-b-32'"),
        ("open_clip:ViT-B-32", "is not complete; write open_clip:MODEL/TAG"),
        ("open_clip:ViT-B-32/openay", "did you mean 'openai'"),
        ("open_clip:ViT-Z/openai", "open_clip has no weights for a model 'ViT-Z'"),
        ("timm:x/y", "is not complete"),
        ("timm:resnet18@weights.pth", "pickled weights are never loaded"),
        ("timm:resnet18@none.safetensors", "there is no file none.safetensors"),
        ("../clip", "unknown encoder '../clip'"),
    ],
)
def test_names_that_are_none_are_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message) as refused:
        source_of(name)
    assert "\n" not in str(refused.value)


def test_a_tag_finds_its_repository():
    assert source_of("open_clip:ViT-B-32/openai").repo == "timm/vit_base_patch32_clip_224.openai"
    assert source_of("open_clip:ViT-B-32/openai").has_text
    for name, known in encoder_sources.KNOWN.items():
        if known.library == "open_clip":
            tagged = encoder_sources.source_of(f"open_clip:{known.model}/openai")
            assert tagged.repo == known.repo, name
        else:
            assert timm.get_pretrained_cfg(known.model).hf_hub_id == known.repo


def test_a_missing_download_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    import huggingface_hub

    def offline(repo, **options):
        raise huggingface_hub.errors.LocalEntryNotFoundError("nothing here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match="encoder 'dino-vits16' is not in the hub cache") as refused:
        encoder_revision("dino-vits16")
    assert "leave the encoder out of [scoring]" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_hub_file_that_is_not_what_the_hub_says_is_refused(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path / "cache"))
    snapshot = tmp_path / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    blob = tmp_path / ("0" * 64)
    blob.write_bytes(b"other bytes")
    (snapshot / "model.safetensors").symlink_to(blob)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo, **o: str(snapshot))
    with pytest.raises(UserError, match=r"'dino-vits8': model\.safetensors is not what the hub"):
        encoder_revision("dino-vits8")
    assert not Path("model.safetensors").exists()
