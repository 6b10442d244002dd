"""What a remembered prediction depends on besides its question."""

from __future__ import annotations

from typing import Any

PACKAGES = ("torch", "diffusers", "transformers", "peft")


def versions(method: str, backbone: str) -> dict[str, Any]:
    """Of the method's code, of the code that predicts, of the libraries and of the backbone."""
    from dataclasses import asdict

    from benchmark.backbones.folder import read_config
    from benchmark.environment import package_version
    from benchmark.estimate.weightless import KNOWN, folder_of
    from methods import code_version
    from methods.versions import version_of

    known: Any
    if backbone in KNOWN:
        known = asdict(KNOWN[backbone])
    else:
        folder = folder_of(backbone)
        known = {file.parent.name: read_config(file) for file in folder.glob("*/*config.json")}
    return {
        "method": code_version(method),
        "estimate": version_of("benchmark.estimate.prediction", ("benchmark.estimate",)),
        "packages": {name: package_version(name) for name in PACKAGES},
        "backbone": known,
    }
