"""The TOML files that come with the project, by their names."""

from __future__ import annotations

from importlib import resources


def toml_names(folder: str) -> list[str]:
    """Names of the TOML files in a folder of this package, without their ending, sorted."""
    files = (file.name for file in (resources.files("benchmark") / folder).iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))
