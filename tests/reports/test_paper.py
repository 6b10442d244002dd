"""The paper's folder compiles as it is, with every table and figure in it."""

import shutil

import pytest

from reports.naming import Naming
from reports.paper import write_paper
from tests.reports.tex import compiled


@pytest.mark.slow
def test_the_folder_compiles_and_shows_everything(run, results, tmp_path):
    naming = Naming({"textboost": "TextBoost & <Co>", "dreambooth": "Dream_Booth"})
    one = results[results["encoder"] == "toy-clip"]
    written = write_paper(one, run.costs(), run.cell_info(), None, tmp_path, ["headline"], naming)
    found = {path.name for path in written}
    assert {"table_main.tex", "table_cost.tex", "table_settings.tex", "preview.tex"} <= found
    assert {"fig_fidelity_alignment.pdf", "fig_pareto_1.pdf", "fig_memory.pdf"} <= found
    assert "table_claims.tex" not in found
    assert found == {path.name for path in tmp_path.iterdir()}
    read = compiled(tmp_path)
    if shutil.which("pdftotext"):
        assert "TextBoost & <Co> 6 24 0." in read
        assert "Dream_Booth" in read.replace("Dream Booth", "Dream_Booth")
        # One page for every table and figure.
        preview = (tmp_path / "preview.tex").read_text()
        assert preview.count(r"\clearpage") == len(written) - 1
