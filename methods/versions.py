"""A version of code that is its content: results made by other code are told apart by it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

OURS = ("methods", "textboost", "benchmark")


def version_of(module: str, packages: Sequence[str]) -> str:
    """12 hex digits that change when the module's code changes, comments and docstrings aside.

    Covers the module and those below `packages` that it imports, directly or through one another.
    Our own modules are read for that, not imported.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name], imports = _read(path.read_text(encoding="utf-8"))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting.extend(_wanted(imports, package, packages))
    text = "\n".join(f"{name} {found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _source(module: str) -> Path | None:
    """The module's file, found without importing the module where it is one of ours."""
    package, _, rest = module.partition(".")
    if package not in OURS:
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


@lru_cache(maxsize=256)
def _read(source: str) -> tuple[str, tuple[ast.Import | ast.ImportFrom, ...]]:
    """A module's code as `_canonical` text, and its imports. All methods share most modules."""
    tree = ast.parse(source)
    kinds = ast.Import | ast.ImportFrom
    return _canonical(tree), tuple(node for node in ast.walk(tree) if isinstance(node, kinds))


def _wanted(
    imports: Sequence[ast.Import | ast.ImportFrom], package: str, wanted: Sequence[str]
) -> Iterator[str]:
    """Modules below the wanted packages that are imported."""
    for node in imports:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], base]).rstrip(".")
            names = []
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                is_wanted = _is_below(inner, wanted)
                names.append(inner if is_wanted and _source(inner) is not None else base)
        yield from (name for name in names if _is_below(name, wanted))


def _is_below(module: str, packages: Sequence[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages if package)


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
