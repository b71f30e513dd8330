# make sweep      a small sweep over the fs adapter, from nothing
# make test       all tests: unit tests and end-to-end tests
# make test-unit  the unit tests: two minutes on two processors, no process is started
# make chaos      random faults in random sweeps: make chaos TRIALS=200 SEED=1000
# make coverage   the tests that may run side by side, with the coverage of all processes
# make check      lint, format, types, shell scripts, container file, Kubernetes manifest, generated files
# make seen       examine each adapter that runs here, and write what docs/adapters.md says of it
# make reference  write the option tables and the shipped defaults from their declarations
# make gate       how often compare alarms without a reason, and what it finds: half an hour on an idle machine
# make pictures   record the pictures of the documents from real runs: apt-get install chromium fio
# make bench      l2sweep measured against lmcache bench l2, and against itself

PYTHON ?= python3
VENV ?= .venv
# A machine with a GPU: make sweep CONSTRAINTS=
CONSTRAINTS ?= constraints-cpu.txt
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# NIXL requires CUDA's libraries, and runs its POSIX backend without them.
NIXL := 'nixl>=1,<2' 'nixl-cu12>=1,<2' 'nixl-cu13>=1,<2'

BIN := $(VENV)/bin
WITH_CONSTRAINTS := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(WITH_CONSTRAINTS)
# With bytecode written, also where the environment forbids it: else each new interpreter compiles l2sweep again, and
# each run of pytest its tests.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# More workers than processors: many tests wait for a time limit.
WORKERS := $(shell expr $$(nproc) \* 3 / 2)

.PHONY: sweep test test-unit chaos coverage check seen reference pictures bench gate clean

sweep: $(VENV)/.installed
	$(BIN)/python -m l2sweep experiment=smoke

# Tests marked "alone" compare times, or drop the page cache of the whole machine. All are end-to-end tests
# (tests/conftest.py checks it), so that the second run does not read the unit tests again.
test: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses $(WORKERS) --dist worksteal -m "not alone"
	$(PYTEST) -m alone tests/end_to_end

test-unit: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses auto -m "not end_to_end"

TRIALS ?= 20
SEED ?= 0
chaos: $(VENV)/.installed-dev
	L2SWEEP_TRIALS=$(TRIALS) L2SWEEP_SEED=$(SEED) $(PYTEST) --numprocesses $(WORKERS) --dist worksteal tests/end_to_end/test_chaos.py

coverage: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses auto -m "not alone" --cov --cov-report=term

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck scripts/*.sh scripts/l2sweep.sbatch scripts/l2sweep-drop-caches .ci/run
	$(BIN)/hadolint scripts/container/Containerfile
	$(BIN)/kubernetes-validate --quiet --strict --kubernetes-version 1.29 scripts/k8s/l2sweep.yaml
	$(BIN)/python scripts/write_reference.py --check

seen: $(VENV)/.installed-dev
	L2SWEEP_WRITE_SEEN=1 $(PYTEST) tests/end_to_end/test_doctor_of_adapters.py
	$(BIN)/python scripts/write_reference.py

reference: $(VENV)/.installed
	$(BIN)/python scripts/write_reference.py

pictures: $(VENV)/.installed-dev
	$(BIN)/python scripts/record_pictures.py

NIGHTS ?= 42
gate: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/gate.py record --nights $(NIGHTS) --results results/gate
	$(BIN)/python benchmarks/gate.py judge --results results/gate

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/payload.py
	$(BIN)/python benchmarks/clock.py
	$(BIN)/python benchmarks/steady.py
	$(BIN)/python benchmarks/adapters.py
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/parity.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/fixed_cost.py
	$(BIN)/python benchmarks/isolation.py

$(BIN)/python:
	@echo "Creating the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# The CPU build comes from PyTorch's index, all else from the usual one: asking both for everything is slow.
$(VENV)/.torch: $(BIN)/python $(CONSTRAINTS)
	@$(if $(CONSTRAINTS),echo "Installing the CPU build of PyTorch (about 200 MB to download) ...")
	@$(if $(CONSTRAINTS),$(PIP_INSTALL) --retries 1 --extra-index-url $(TORCH_INDEX) torch)
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	@echo "Installing l2sweep, LMCache and what they need: about 400 MB to download, two to three minutes ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	@echo "Installing l2sweep, LMCache and what the tests need: about 400 MB to download, two to three minutes ..."
	@$(PIP_INSTALL) --editable '.[dev]'
	@$(PIP_INSTALL) --no-deps $(NIXL)
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
