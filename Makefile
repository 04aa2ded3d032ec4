# Everything is set up in .venv, on first use. Only system packages that are missing go elsewhere, through apt.

# The first Python that is new enough, python3 preferred. PYTHON=... chooses another (after a `make clean`).
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
new_enough = $(shell $(1) -c 'import sys; print("yes" if sys.version_info >= (3, 11) else "")' 2>/dev/null)
PYTHON ?= $(firstword $(foreach python,$(CANDIDATES),$(if $(call new_enough,$(python)),$(python))) python3)

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

COUNT := 5000
SEED := 1

.PHONY: help demo bench mutants test fuzz lint setup setup-conversion clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo    deploy the example model to a virtual Cortex-M4 and compare what it computes'
	@echo 'make test    lint, check types and run all tests'
	@echo 'make bench   run all models with all engines on all virtual cores; tables and pictures in docs/ and README.md'
	@echo 'make mutants   attack with 5,000 damaged and hostile models; COUNT=... and SEED=... for others: half an hour'
	@echo 'make lint    lint and check types only'
	@echo 'make fuzz    the firmware under libFuzzer for SECONDS=600; keeps what reaches something new'
	@echo 'make setup   what the others do first: system packages, .venv, this project'
	@echo 'make setup-conversion   TensorFlow, PyTorch and ONNX too, so that `make test` tests conversion: some 5 GB'
	@echo 'make clean   remove .venv, caches and builds'

demo: .venv/installed
	$(BIN)/tinydeploy flash examples/digits/digits_int8.tflite \
		--board qemu-cortex-m4 --samples examples/digits/digits_test.npz

# BENCH=... is for the benchmark: models, and options such as --board qemu-cortex-m4 (BENCH=--help lists them).
bench: .venv/installed-plot
	$(BIN)/python -m tinydeploy.benchmark $(BENCH)

# What is found is kept in build/mutants, with the commands that show it.
mutants: .venv/installed-dev
	$(BIN)/python tests/attack_models.py --count $(COUNT) --seed $(SEED)

# What measures real time comes after all else, alone; it runs even where that failed, and either fails the whole.
test: lint
	$(PYTEST) -n logical --dist loadfile --no-loadscope-reorder -m 'not realtime'; others=$$?; \
	$(PYTEST) -m realtime && exit $$others

# Begins with the kept corpus; what it finds stops it, and is printed with the script that shows it.
SECONDS ?= 600
fuzz: .venv/installed-dev
	$(BIN)/python tests/fuzzing.py $(SECONDS)

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

setup: .venv/installed-dev

setup-conversion: .venv/installed-conversion

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each says that the step was done with the files it depends on.

.venv/created: .ci/system-packages
	PYTHON='$(PYTHON)' .ci/system-packages firmware
	@echo 'setting up .venv: about half a minute, once'
	'$(PYTHON)' -m venv --clear .venv
	@touch $@

.venv/installed: .venv/created pyproject.toml
	$(PIP_INSTALL) --editable .
	@touch $@

.venv/installed-plot: .venv/installed
	$(PIP_INSTALL) --editable '.[plot]'
	@touch $@

.venv/installed-dev: .venv/created pyproject.toml
	PYTHON='$(PYTHON)' .ci/system-packages tests
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ .venv/installed

# PyTorch first, in the version that the extra wants: where an index has builds for CPUs only, that is where it is found.
.venv/installed-conversion: .venv/installed-dev
	$(PIP_INSTALL) torch==2.13.0
	$(PIP_INSTALL) --editable '.[dev,test-conversion]'
	@touch $@
