# make sweep   a small sweep over the fs adapter, from nothing
# make test    the tests
# make check   lint, format and types
# make bench   l2sweep measured against lmcache bench l2, and against itself

PYTHON ?= python3
VENV ?= .venv
# A machine with a GPU: make sweep CONSTRAINTS=
CONSTRAINTS ?= constraints-cpu.txt
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
WITH_CONSTRAINTS := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(WITH_CONSTRAINTS)

.PHONY: sweep test check bench clean

sweep: $(VENV)/.installed
	$(BIN)/python -m l2sweep experiment=smoke

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/payload.py
	$(BIN)/python benchmarks/parity.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/overhead.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The CPU build comes from PyTorch's index, all else from the usual one: asking both for everything is slow.
$(VENV)/.torch: $(BIN)/python $(CONSTRAINTS)
	$(if $(CONSTRAINTS),$(PIP_INSTALL) --retries 1 --extra-index-url $(TORCH_INDEX) torch)
	touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
