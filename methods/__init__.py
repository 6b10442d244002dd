"""Personalization methods, one file each, found by the name of the file.

Listing and versioning read files only; a method is imported (and torch with it) when
`get_method` asks for it. Other packages add methods through the entry point group
`tbbench.methods`: the entry's name is the method's name, its value "module:Class".
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import TypeGuard

from methods.interface import ImageRequest, Method, Task, TrainResult
from methods.versions import plugin_version, version_of

__all__ = [
    "ImageRequest",
    "Method",
    "Task",
    "TrainResult",
    "code_version",
    "get_method",
    "method_names",
    "own_method_names",
]

ENTRY_POINT_GROUP = "tbbench.methods"
# What the methods share; every other file in this folder is a method.
SHARED_FILES = frozenset({"interface", "model_card", "prior_preservation", "versions"})
# How a file says "++".
PLUS_PLUS = "_plus_plus"
# A method's version covers its own module and what it uses of these two packages.
OWN_PACKAGES = ("methods", "textboost")


def method_names() -> list[str]:
    """All methods, those of plug-ins included, sorted by name."""
    return sorted(_own_files() | _plugins().keys())


def own_method_names() -> list[str]:
    """The methods of this package alone, sorted by name."""
    return sorted(_own_files())


def get_method(name: str) -> Method:
    """The method of this name. Raises ValueError with the nearest spelling if there is none."""
    if name in _own_files():
        module = importlib.import_module(_module_name(name))
        for value in vars(module).values():
            if _is_method(value) and getattr(value, "name", None) == name:
                return value()
        raise ValueError(f'{_module_name(name)}: expected a subclass of Method named "{name}"')
    plugins = _plugins()
    if name in plugins:
        loaded = plugins[name].load()
        if not _is_method(loaded) or loaded.name != name:
            raise ValueError(f'plug-in {plugins[name].value}: expected a Method named "{name}"')
        return loaded()
    raise _unknown(name)


def code_version(name: str) -> str:
    """12 hex digits that change when the method's code changes, comments and docstrings aside.

    Covers the method's module and the modules of `methods` and `textboost` that it imports,
    directly or through one another; of a plug-in see `plugin_version`. Our modules are read for
    that, not imported. Raises ValueError for an unknown method.
    """
    if name in _own_files():
        return version_of(_module_name(name), OWN_PACKAGES)
    plugins = _plugins()
    if name not in plugins:
        raise _unknown(name)
    return plugin_version(plugins[name], OWN_PACKAGES)


def _own_files() -> set[str]:
    stems = {module.name for module in pkgutil.iter_modules(__path__)}
    return {stem.replace(PLUS_PLUS, "++").replace("_", "-") for stem in stems - SHARED_FILES}


def _module_name(name: str) -> str:
    return f"methods.{name.replace('++', PLUS_PLUS).replace('-', '_')}"


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _is_method(value: object) -> TypeGuard[type[Method]]:
    return isinstance(value, type) and issubclass(value, Method)


def _unknown(name: str) -> ValueError:
    names = method_names()
    near = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(names)}"
    return ValueError(f'unknown method "{name}": {hint}')
