# Needs Python 3.11 to 3.13 with pip; `make PYTHON=python3.12 test` chooses another than python3.
# Everything is installed into .venv, the first time and again whenever pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
# How many test files run side by side; those in tests/perf measure, so they run alone afterwards.
JOBS ?= 2
# Not with --quiet: mkdocs then counts no warnings, and a lost link passes. The theme prints a notice
# about the future of mkdocs at every build; releases here are bounded.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: help quickstart test docs clean

help:
	@echo "make quickstart   install, run the benchmark on the embedded toy world, print the report"
	@echo "make test         install, then lint, types, the documentation and the tests"
	@echo "make test LONG=1  the same with the studies that take minutes, as CI runs it"
	@echo "make docs         build the documentation, links checked, into site/"
	@echo "make clean        remove .venv and caches; runs/ is kept"

quickstart: .venv/.installed
	$(BIN)/tbbench run quickstart

test: .venv/.installed-test
	@echo "== lint";   $(BIN)/ruff check .
	@echo "== format"; $(BIN)/ruff format --check .
	@echo "== types";  $(BIN)/mypy
	@echo "== docs";   $(MKDOCS)
	@echo "== tests";  OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile \
	    --ignore tests/perf $(if $(LONG),,-m "not long")
	@echo "== measuring tests"; $(BIN)/pytest -q tests/perf $(if $(LONG),,-m "not long")
	@echo "== lint, format, types, docs and tests: all good"

docs: .venv/.installed-docs
	$(MKDOCS)
	@echo "site/index.html"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	    { echo "$(PYTHON) is not Python 3.11 to 3.13; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | $(BIN)/python
	@echo "installing into .venv; the first time that downloads several GB and takes minutes"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch .venv/.installed $@

.venv/.installed-test: pyproject.toml | $(BIN)/python
	@echo "installing into .venv; the first time that downloads several GB and takes minutes"
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch .venv/.installed .venv/.installed-docs $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist site
