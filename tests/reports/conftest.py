"""A made-up run and the tidy frame it gives."""

import pandas as pd
import pytest

from tests.reports.made_up import SKILL, SUBJECTS, cell, make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """6 subjects, 3 methods, 3 controls, everything done."""
    cells = [cell(method, subject) for subject in SUBJECTS for method in SKILL]
    return make_run(tmp_path_factory.mktemp("runs") / "made-up", cells)


@pytest.fixture(scope="session")
def results(run) -> pd.DataFrame:
    return run.results()
