"""The rules of the layout: which package may import which, and what a folder may hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "textboost": {"textboost"},
    "methods": {"methods", "textboost"},
    "benchmark": {"benchmark", "methods", "textboost"},
    "reports": {"reports", "benchmark", "methods", "textboost"},
}
# Where things are put together for the user, and the report with them: the command line and the
# functions of the same power for Python. Both import it inside the functions that need it.
PUT_TOGETHER = [ROOT / "benchmark" / name for name in ("cli.py", "api.py")]
OURS = {*MAY_IMPORT, "tests", "datasets"}
LONGEST_FILE = 400


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what is imported anywhere in the tree, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def wrong_imports(path: Path, allowed: set[str]) -> set[str]:
    return (set(imported(ast.parse(path.read_text(encoding="utf-8")))) & OURS) - allowed


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_dependencies_point_one_way(package: str) -> None:
    assert modules(package)
    for path in modules(package):
        allowed = set(MAY_IMPORT[package])
        if path in PUT_TOGETHER:
            allowed.add("reports")
        assert wrong_imports(path, allowed) == set(), path.relative_to(ROOT)


@pytest.mark.parametrize(
    "line",
    ["import benchmark.store", "from benchmark import x", "def f():\n    from reports import y"],
)
def test_a_wrong_import_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(line)
    assert len(wrong_imports(path, MAY_IMPORT["methods"])) == 1


@pytest.mark.parametrize("path", PUT_TOGETHER, ids=lambda path: path.name)
def test_reports_are_imported_only_when_they_are_needed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_start_up = ast.Module(
        [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    assert "reports" not in set(imported(at_start_up))


def test_datasets_is_no_python_package() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))


def test_no_file_does_too_many_jobs() -> None:
    files = [path for package in MAY_IMPORT for path in modules(package)]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in files}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_every_package_folder_with_modules_has_an_init() -> None:
    folders = {path.parent for package in MAY_IMPORT for path in modules(package)}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()] == []
