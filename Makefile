# Each target installs what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --require-hashes
CODE   := backend deploy hop_log imagenet_export imagenet_inception_v3 imagenet_mobilenet_v2 job_store \
          local_tf_serving proxy service_settings tests tf_serving_client

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z_]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.run ## Serve the pattern on localhost:8000, without Docker. PORT, MODELS_DIR, DATA_DIR, IMAGENET_WEIGHTS_DIR
	@exec $(BIN)/python -m deploy.local

.PHONY: models
models: $(VENV)/.run ## Export both models anew, where better weights can be had now
	@exec $(BIN)/python -m deploy.local.models

.PHONY: test
test: $(VENV)/.dev ## Run all tests
	@exec $(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(CODE)

.PHONY: format
format: $(VENV)/.dev ## Put the code into its form
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: lock
lock: $(VENV)/.dev ## Choose the newest versions of everything and lock them with hashes
	@cd requirements && ./lock ../$(BIN)/uv

.PHONY: install
install: $(VENV)/.run ## Install what `make run` needs, and no more

.PHONY: clean
clean: ## Remove the virtual environment, exported models and caches; jobs in DATA_DIR too
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) deploy/local/preflight.py
	@echo "make: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt requirements/tensorflow-serving-api.txt requirements/redis-server.txt | $(VENV)/bin/python
	@echo "make: installing what the services need (TensorFlow is most of it)"
	@$(PIP) --quiet -r requirements/run.txt
	@$(MAKE) $(VENV)/.extras
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/tensorflow-serving-api.txt requirements/redis-server.txt | $(VENV)/bin/python
	@echo "make: installing what the services and the tests need (TensorFlow is most of it)"
	@$(PIP) --quiet -r requirements/dev.txt
	@$(MAKE) $(VENV)/.extras
	@touch $@ $(VENV)/.run

.PHONY: $(VENV)/.extras
$(VENV)/.extras:
	@$(PIP) --quiet --no-deps -r requirements/tensorflow-serving-api.txt
	@command -v redis-server >/dev/null || $(PIP) --quiet --no-deps -r requirements/redis-server.txt
