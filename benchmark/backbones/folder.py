"""Folders in diffusers' format: what must be in one, and which revision it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.atomic import checksum, digest, files_under, read_json
from benchmark.cache_folder import remember
from benchmark.errors import UserError
from benchmark.paths import cache_root

PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}
"""Folder of a network -> name of its file of weights, less `.safetensors`."""
WEIGHTS_AND_CONFIGS = (".safetensors", ".json", ".txt")
LARGE = 64 * 2**20
"""From this many bytes on, a file's checksum is remembered."""


def pipeline_class(name: str, folder: Path) -> str:
    """The pipeline's class; UserError when it is none of `PIPELINES`. `name` is the backbone's."""
    if not (folder / "model_index.json").is_file():
        raise UserError(
            f"backbone {name!r}: {folder} has no model_index.json; expected a pipeline saved by "
            "diffusers (save_pretrained)"
        )
    found = read_config(folder / "model_index.json").get("_class_name")
    if found not in PIPELINES:
        raise UserError(
            f"backbone {name!r}: {folder} holds a {found}; expected {' or '.join(PIPELINES)}"
        )
    return str(found)


def check_complete(name: str, folder: Path) -> None:
    """UserError when the folder lacks a file that loading needs: weights are safetensors only."""
    missing = missing_files(name, folder)
    if missing:
        raise UserError(
            f"backbone {name!r}: {folder} lacks {', '.join(missing)}; expected a pipeline saved by "
            "diffusers, its weights as safetensors (pickled weights, .bin or .ckpt, are never read)"
        )


def missing_files(name: str, folder: Path) -> list[str]:
    """Relative paths of the files that loading needs and that are not there."""
    is_xl = pipeline_class(name, folder) == "StableDiffusionXLPipeline"
    networks = [part for part in WEIGHTS if is_xl or part != "text_encoder_2"]
    tokenizers = ["tokenizer", "tokenizer_2"] if is_xl else ["tokenizer"]
    configs = ["scheduler/scheduler_config.json", *(f"{part}/config.json" for part in networks)]
    missing = [file for file in configs if not (folder / file).is_file()]
    for part in tokenizers:
        if not any((folder / part / file).is_file() for file in ("tokenizer.json", "vocab.json")):
            missing.append(f"{part}/vocab.json")
    for part in networks:
        whole = f"{part}/{WEIGHTS[part]}.safetensors"
        shards = read_json(folder / f"{whole}.index.json")
        files = {f"{part}/{file}" for file in shards["weight_map"].values()} if shards else {whole}
        missing += sorted(file for file in files if not (folder / file).is_file())
    return missing


def folder_revision(folder: Path) -> str:
    """First 12 hex digits of the SHA-256 over the checksums of its weights and configurations."""
    files = [file for file in files_under(folder) if file.endswith(WEIGHTS_AND_CONFIGS)]
    return digest(_checksums(folder, files), 12)


def folder_resolution(folder: Path) -> int:
    """Pixels: latent side times the VAE's factor, which halves once between two of its levels."""
    unet, vae = (read_config(folder / part / "config.json") for part in ("unet", "vae"))
    halvings = len(vae["block_out_channels"]) - 1
    return int(unet["sample_size"]) << halvings


def read_config(path: Path) -> Mapping[str, Any]:
    """A JSON file of the pipeline; UserError when it cannot be read."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} cannot be read; expected a pipeline saved by diffusers")
    return content


def _checksums(folder: Path, files: list[str]) -> dict[str, str]:
    """Relative path -> SHA-256. Large files are hashed once for each size, times and inode.

    The memory is `checksums.json` in the cache folder. A cache that cannot be written costs time
    alone; when two processes write it at once, one of them hashes anew the next time.
    """
    memory = cache_root() / "checksums.json"
    known: dict[str, dict[str, Any]] = read_json(memory) or {}
    learned: dict[str, dict[str, Any]] = {}
    found: dict[str, str] = {}
    for file in files:
        path = (folder / file).resolve()
        state = path.stat()
        if state.st_size < LARGE:
            found[file] = checksum(path)
            continue
        # Nobody sets the last two at will: of a copy that keeps times they are others.
        times = {"mtime_ns": state.st_mtime_ns, "ctime_ns": state.st_ctime_ns}
        stamp = {"bytes": state.st_size, **times, "inode": state.st_ino}
        entry = known.get(str(path), {})
        if entry != stamp | {"sha256": entry.get("sha256")}:
            entry = learned[str(path)] = stamp | {"sha256": checksum(path)}
        found[file] = entry["sha256"]
    if learned:
        remember(memory, (read_json(memory) or {}) | learned)
    return found
