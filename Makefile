# The two commands that matter: `make render` does the main job, `make test` proves it. Each does its own set-up.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 python3.12 python3.13 python3.14 python3 | head -n 1)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Targets of the example; a fork that removed the example has none of them.
-include examples/*/example.mk

.PHONY: help
help: ## prints the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | awk -F '\t' '{printf "make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## makes .venv from the locked packages (every target that needs it does this by itself)

$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Say which with PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@echo "set-up: virtual environment in $(VENV), locked packages (once, about a minute)"
	@rm -rf $(VENV)
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

.PHONY: lock
lock: ## locks the Python packages anew, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock
