# make demo, make test; the plain commands are in the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo test check clean

demo: $(VENV)/.for-use
	$(BIN)/sculpt demo --out demo

test: check
	$(BIN)/python -m pytest -n auto

check: $(VENV)/.for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) demo

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
