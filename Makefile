# make demo, make test, make docs; the plain commands are in the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS_MADE := docs/_build docs/generated docs/tutorials
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo test check docs clean

demo: $(VENV)/.for-use
	$(BIN)/sculpt demo --out demo

test: check
	$(BIN)/python -m pytest -n auto

check: $(VENV)/.for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# The tutorials run here, on one thread: their networks are too small to share.
docs: $(VENV)/.for-docs
	rm -rf $(DOCS_MADE)
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet \
	    --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

clean:
	rm -rf $(VENV) demo $(DOCS_MADE)

# The stamps are made anew whenever the dependencies change.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.for-use: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) ".[plot]"
	touch $@

$(VENV)/.for-tests: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) ".[test]"
	touch $@

$(VENV)/.for-docs: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) ".[docs]"
	touch $@
