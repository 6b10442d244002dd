"""The paper's folder compiles as it is, with every table and figure in it."""

import shutil

import pandas as pd
import pytest

from reports.naming import Naming
from reports.paper import write_paper
from tests.reports.test_fact_tables import VERDICT
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


def test_claims_that_nothing_was_found_for_are_counted_and_not_listed(tmp_path):
    judged = VERDICT | {"verdict": "SUPPORTED"}
    open_ = {"verdict": "NOT MEASURED", "sentence": "An open claim."}
    nothing = (pd.DataFrame(), pd.DataFrame(), [])
    write_paper(*nothing, [judged, open_, open_], tmp_path)
    written = (tmp_path / "table_claims.tex").read_text()
    assert "An open claim" not in written
    assert "Not shown: 2 more that are NOT MEASURED" in written
    write_paper(*nothing, [judged], tmp_path)
    assert "Not shown" not in (tmp_path / "table_claims.tex").read_text()
