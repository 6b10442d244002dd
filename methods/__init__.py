"""Personalization methods, one file each, found by the name of the file.

Listing and versioning read files only; a method is imported (and torch with it) when
`get_method` asks for it. Other packages add methods through the entry point group
`textboost_bench.methods`: the entry's name is the method's name, its value "module:Class".
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeGuard

from methods.interface import ImageRequest, Method, Task, TrainResult

__all__ = [
    "ImageRequest",
    "Method",
    "Task",
    "TrainResult",
    "code_version",
    "get_method",
    "method_names",
]

ENTRY_POINT_GROUP = "textboost_bench.methods"
# What the methods share; every other file in this folder is a method.
SHARED_FILES = frozenset({"interface", "loop", "photos", "prompts"})
# A method's version covers its own module and what it uses of these two packages.
OWN_PACKAGES = ("methods", "textboost")


def method_names() -> list[str]:
    """All methods, those of plug-ins included, sorted by name."""
    return sorted(_own_files() | _plugins().keys())


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
    directly or through one another. Our modules are read for that, not imported.
    Raises ValueError for an unknown method.
    """
    if name in _own_files():
        start = _module_name(name)
    elif name in _plugins():
        start = _plugins()[name].module
    else:
        raise _unknown(name)
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        path = _source(module)
        if module in found or path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found[module] = _canonical(tree)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        waiting.extend(_imports(tree, package))
    text = "\n".join(f"{module} {found[module]}" for module in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _own_files() -> set[str]:
    stems = {module.name for module in pkgutil.iter_modules(__path__)}
    return {stem.replace("_", "-") for stem in stems - SHARED_FILES}


def _module_name(name: str) -> str:
    return f"methods.{name.replace('-', '_')}"


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _is_method(value: object) -> TypeGuard[type[Method]]:
    return isinstance(value, type) and issubclass(value, Method)


def _unknown(name: str) -> ValueError:
    names = method_names()
    near = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(names)}"
    return ValueError(f'unknown method "{name}": {hint}')


def _source(module: str) -> Path | None:
    """The module's file, found without importing the module where it is one of ours."""
    package, _, rest = module.partition(".")
    if package not in OWN_PACKAGES:
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:  # a name in a module that is not a package
            return None
        return Path(spec.origin) if spec and spec.origin else None
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*rest.split(".")) if rest else Path(spec.origin)
    for candidate in (path, path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Modules of our packages that the tree imports; a plug-in's own modules count as well."""
    wanted = {*OWN_PACKAGES, package.partition(".")[0]} - {""}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], base]).rstrip(".")
            names = []
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                is_wanted = base.partition(".")[0] in wanted
                names.append(inner if is_wanted and _source(inner) is not None else base)
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in wanted)


def _canonical(node: object) -> str:
    """The tree as text without docstrings and positions, the same on every Python version."""
    if isinstance(node, list):
        return "[" + ",".join(_canonical(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for field, value in ast.iter_fields(node):
        if field == "body" and _has_docstring(node):
            value = value[1:]
        if value is not None and value != []:
            parts.append(f"{field}={_canonical(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _has_docstring(node: ast.AST) -> bool:
    """Whether the node is a module, class or function that starts with a docstring."""
    with_docstring = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, with_docstring) and ast.get_docstring(node) is not None
