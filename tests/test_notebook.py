"""The notebook runs from top to bottom, and lies in the repository without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "first-run.ipynb"


def read() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs() -> None:
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert len(cells) > 4
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.slow
@pytest.mark.long
def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    notebook = read()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("execute_result", "display_data")
    ]
    assert "8 done" in shown[0]["text/plain"]
    assert any("image/png" in data for data in shown)
    assert "textual-inversion" in shown[3]["text/html"]
    assert (tmp_path / "runs" / "first-run" / "report" / "index.html").is_file()
