"""The run that nothing happened to, made once, and what the suite came to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import bench
from tests.faults.bench import Outcome, finish, harmed_config, outcome, run_of, write

TOLD = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def straight(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run that was left alone."""
    folder = write(tmp_path_factory.mktemp("straight") / "it", harmed_config(tiny_backbone))
    code, said = finish(folder)
    assert code == 0, said
    return folder


@pytest.fixture(scope="session")
def expected(straight: Path) -> Outcome:
    found = outcome(run_of(straight))
    assert len(found.status) == bench.CELLS
    assert set(found.status.values()) == {"done"}
    assert len(found.results) > bench.CELLS
    return found


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Puts a line into the summary at the end of the tests."""
    return request.config.stash.setdefault(TOLD, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(TOLD, []):
        terminalreporter.write_line(line)
