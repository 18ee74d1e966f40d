# Everything a newcomer types. The environment is .venv, made by uv; uv itself comes from the package index.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
INVENTORY ?= inventories/lab.py

.PHONY: environment lab test check bench clean

environment: $(BIN)/haplane

$(BIN)/haplane: pyproject.toml requirements.lock
	command -v uv >/dev/null || $(PYTHON) -m pip install --quiet uv || $(PYTHON) -m pip install --quiet --break-system-packages uv
	uv venv --quiet --allow-existing --python 3.11 .venv
	uv pip sync --quiet --python .venv/bin/python requirements.lock
	uv pip install --quiet --python .venv/bin/python --no-deps --editable .
	touch $@
