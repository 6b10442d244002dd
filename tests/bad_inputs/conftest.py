"""Counts the cases, for the summary at the end of the tests."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    count = sum("tests/bad_inputs/" in report.nodeid for report in passed)
    if count:
        terminalreporter.write_line(f"bad inputs: {count} cases refused or harmless")
