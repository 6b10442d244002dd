# Needs Python 3.11 to 3.13 with pip; `make PYTHON=python3.12 test` chooses another than python3.
# Everything is installed into .venv, the first time and again whenever pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
# How many test files run side by side; those in tests/perf measure, so they run alone afterwards.
JOBS ?= 2

.PHONY: help quickstart test clean

help:
	@echo "make quickstart   install, run the benchmark on the embedded toy world, print the report"
	@echo "make test         install, then lint, types and the tests"
	@echo "make test LONG=1  the same with the studies that take minutes, as CI runs it"
	@echo "make clean        remove .venv and caches; runs/ is kept"

quickstart: .venv/.installed
	$(BIN)/tbbench run quickstart

test: .venv/.installed-test
	@echo "== lint";   $(BIN)/ruff check .
	@echo "== format"; $(BIN)/ruff format --check .
	@echo "== types";  $(BIN)/mypy
	@echo "== tests";  OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile \
	    --ignore tests/perf $(if $(LONG),,-m "not long")
	@echo "== measuring tests"; $(BIN)/pytest -q tests/perf $(if $(LONG),,-m "not long")
	@echo "== lint, format, types and tests: all good"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	    { echo "$(PYTHON) is not Python 3.11 to 3.13; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch .venv/.installed $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist
