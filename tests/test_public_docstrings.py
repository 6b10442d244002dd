"""Docstrings of the public surface say what a user must know; that they are there, ruff checks."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator

import pytest

import benchmark
import textboost
from benchmark import estimate
from benchmark.metrics import metric_names

MODULES = ("benchmark.metrics.evidence", "benchmark.backbones.backbone")
ARRAYS = re.compile(r"\b(Tensor|NDArray|ndarray|Rows|Image)\b")
SIZES = re.compile(r"\[[^\]]*\b[a-z]\b[^\]]*\]|\bscalar\b|\bpixels?\b|\bany size\b")
SOURCE = re.compile(r"arXiv \d{4}\.\d{4,5}|this project's")


def tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def functions(node: ast.stmt, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Name, function and the docstrings that tell of it; a class tells of its `__post_init__`."""
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
        yield f"{inside}{node.name}", node, ast.get_docstring(node) or ""
    elif isinstance(node, ast.ClassDef):
        for part in node.body:
            yield from functions(part, f"{node.name}.")
            if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__post_init__"):
                yield f"{node.name}.{part.name}", part, ast.get_docstring(node) or ""


def surface() -> dict[str, tuple[ast.FunctionDef, str]]:
    found: dict[str, tuple[ast.FunctionDef, str]] = {}
    wanted: dict[str, set[str]] = {}
    for package in (benchmark, textboost, estimate):
        for name in package.__all__:
            wanted.setdefault(getattr(package, name).__module__, set()).add(name)
    for module in MODULES:
        defined = (getattr(node, "name", "_") for node in tree(module).body)
        wanted[module] = {name for name in defined if not name.startswith("_")}
    for module, names in wanted.items():
        for node in tree(module).body:
            if getattr(node, "name", None) in names:
                for name, function, told in functions(node):
                    found[f"{module}.{name}"] = (function, told)
    return found


SURFACE = surface()


def raises(function: ast.FunctionDef, error: str) -> bool:
    return any(
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id == error
        for node in ast.walk(function)
    )


def annotations(function: ast.FunctionDef) -> str:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    given = [one.annotation for one in every] + [function.returns]
    return " ".join(ast.unparse(one) for one in given if one is not None)


def silent(error: str) -> list[str]:
    return [n for n, (f, told) in SURFACE.items() if raises(f, error) and error not in told]


@pytest.mark.parametrize("error", ["UserError", "ValueError"])
def test_an_error_that_a_function_raises_is_in_its_docstring(error: str) -> None:
    assert any(raises(function, error) for function, _ in SURFACE.values())
    assert silent(error) == []


def test_arrays_and_pictures_have_their_sizes_in_the_docstring() -> None:
    with_arrays = {n: told for n, (f, told) in SURFACE.items() if ARRAYS.search(annotations(f))}
    assert "benchmark.metrics.evidence.distances" in with_arrays
    assert [name for name, told in with_arrays.items() if not SIZES.search(told)] == []


def test_array_fields_of_the_evidence_have_their_shapes_below_them() -> None:
    body = next(n for n in tree(MODULES[0]).body if getattr(n, "name", "") == "Evidence").body
    told = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and ARRAYS.search(ast.unparse(node.annotation)):
            told[ast.unparse(node.target)] = ast.unparse(after) if after is not None else ""
    assert len(told) >= 6
    assert [name for name, text in told.items() if not SIZES.search(text)] == []


def own_metrics() -> list[str]:
    """Modules of our metrics; those of installed packages are theirs to describe."""
    modules = [f"benchmark.metrics.{name.replace('-', '_')}" for name in metric_names()]
    return [module for module in modules if importlib.util.find_spec(module)]


@pytest.mark.parametrize("module", own_metrics())
def test_a_metric_names_its_paper_or_says_that_it_is_ours(module: str) -> None:
    text = ast.get_docstring(tree(module)) or ""
    assert SOURCE.search(text.replace("\n", " "))
