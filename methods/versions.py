"""A version of code that is its content: results made by other code are told apart by it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path

OURS = ("methods", "textboost", "benchmark")
DATA = (".txt", ".json", ".toml", ".yaml", ".yml", ".csv")
CODE = (".py", ".pyc", ".pyi")
INSTALLED = ("site-packages", "dist-packages")


def version_of(module: str, packages: Sequence[str]) -> str:
    """12 hex digits that change when the module's code changes, comments and docstrings aside.

    Covers the module and those below `packages` that it imports, directly or through one another.
    Our own modules are read for that, not imported.
    """
    found = _reached(module, packages)
    text = "\n".join(f"{name} {found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plugin_version(entry: EntryPoint, ours: Sequence[str]) -> str:
    """`version_of` for what an installed package offers.

    Covers the entry's module and those of its distribution that it imports, in one package or in
    several, what of our packages `ours` it imports, the files that lie beside its code, such as
    lists of words (see `_installed_data` and `_data`), and the distribution's version.
    """
    theirs = [entry.module.partition(".")[0], *_top_level(entry)]
    found = _reached(entry.module, [*ours, *theirs])
    text = [f"{name} {found[name]}" for name in sorted(found)]
    installed = _installed_data(entry)
    text += [f"{name} {_checksum(path)}" for name, path in sorted(installed.items())]
    for package in sorted({name.partition(".")[0] for name in found} - {*OURS}):
        source = _source(package)
        if source is not None:
            for path in _data(source):
                if path not in installed.values():
                    name = path.relative_to(source.parent).as_posix()
                    text.append(f"{package} {name} {_checksum(path)}")
    text.append(entry.dist.version if entry.dist is not None else "")
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:12]


def _top_level(entry: EntryPoint) -> list[str]:
    """Modules and packages that the distribution brings, as far as it tells."""
    source = _source(entry.module.partition(".")[0])
    found: set[str] = set()
    if entry.dist is not None:
        found.update((entry.dist.read_text("top_level.txt") or "").split())
        first = (path.parts[0] for path in entry.dist.files or () if path.suffix == ".py")
        found.update(name.removesuffix(".py") for name in first)
    if source is not None:
        # Of one that runs from its sources its metadata does not tell.
        top = source.parent.parent if source.name == "__init__.py" else source.parent
        if top.name not in INSTALLED:
            found.update(module.name for module in pkgutil.iter_modules([str(top)]))
    return sorted(found - {*OURS})


def _installed_data(entry: EntryPoint) -> dict[str, Path]:
    """The files that the distribution's installation lists, its code and what describes it aside.
    Others may come and go beside them at work, such as logs and downloads."""
    found: dict[str, Path] = {}
    if entry.dist is None:
        return found
    for file in entry.dist.files or ():
        path = Path(str(entry.dist.locate_file(file)))
        describes = file.parts[0].endswith((".dist-info", ".egg-info")) or file.parts[0] == ".."
        if not describes and file.suffix not in (*CODE, ".pth") and path.is_file():
            found[file.as_posix()] = path
    return found


def _data(source: Path) -> list[Path]:
    """The files of `DATA` in a package's folder, or beside a module that runs from its sources;
    in order."""
    folder = source.parent
    if source.name == "__init__.py":
        files = folder.rglob("*")
    elif folder.name in INSTALLED:
        return []
    else:
        files = folder.glob("*")
    return sorted(
        path
        for path in files
        if path.suffix in DATA
        and not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reached(module: str, packages: Sequence[str]) -> dict[str, str]:
    """Name -> canonical text of the module and what it imports below the packages."""
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
    return found


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
