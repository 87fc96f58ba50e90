# Every target installs what it needs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --require-hashes
TEST_PROCESSES ?= 2
FUZZ_SECONDS   ?= 60
CODE   := background_task backend bench deploy file_lock harness image_structure imagenet_inception_v3 \
          imagenet_mobilenet_v2 job_store local_tf_serving model_export proxy service_log service_settings tensorflow_protos tests \
          tf_serving_client

# Docker settings. Each can be overridden: make build_all DOCKER_REPOSITORY=me/mine IMAGE_VERSION=1.2.3
DOCKER_REPOSITORY ?= shibui/ml-system-in-actions
IMAGE_VERSION     := $(or $(IMAGE_VERSION),$(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml))
PYTHON_IMAGE      ?= python:3.11-slim-bookworm
TF_SERVING_IMAGE  ?= tensorflow/serving:2.20.0
WEIGHTS           ?= imagenet
# Like Compose, make reads .env, unless the shell sets the variable.
DOTENV             = $(shell sed -n 's/^$(1)=//p' .env 2>/dev/null | tr -d \"\')
DEMO_MODELS       := mobilenet_v2 inception_v3
FAST              := $(or $(FAST_MODEL),$(call DOTENV,FAST_MODEL),mobilenet_v2)
ACCURATE          := $(or $(ACCURATE_MODEL),$(call DOTENV,ACCURATE_MODEL),inception_v3)
FAST_MODEL_IMAGE   = $(call model_image,$(FAST))
ACCURATE_MODEL_IMAGE = $(call model_image,$(ACCURATE))
model_image        = $(if $(filter $(1),$(DEMO_MODELS)),imagenet,model)_$(1)
SERVING           ?= tensorflow
DOCKER            ?= docker
BUILD_OPTIONS     ?=
BUILDKIT           = $(shell deploy/docker/buildkit $(DOCKER))
DOCKER_COMPOSE    ?= $(shell $(DOCKER) compose version >/dev/null 2>&1 && echo $(DOCKER) compose || echo docker-compose)

# Compose reads this file by itself only if no other is named.
OVERRIDE      := $(addprefix -f ./,$(wildcard docker-compose.override.yml))
IMAGE         := $(DOCKER_REPOSITORY):sync_async_pattern
SERVING_IMAGE := $(IMAGE)_local_tf_serving_$(IMAGE_VERSION)
ifeq ($(SERVING),local)
  TF_SERVING_IMAGE := $(SERVING_IMAGE)
  MODEL_VERSION    := local_$(IMAGE_VERSION)
  SERVING_BUILD    := build_serving
  COMPOSE           = $(strip $(DOCKER_COMPOSE) -f ./docker-compose.yml -f ./docker-compose.local-serving.yml $(OVERRIDE))
else
  MODEL_VERSION    := $(IMAGE_VERSION)
  COMPOSE           = $(strip $(DOCKER_COMPOSE) -f ./docker-compose.yml $(OVERRIDE))
endif
IMAGES      = $(IMAGE)_sync_async_proxy_$(IMAGE_VERSION) $(IMAGE)_sync_async_backend_$(IMAGE_VERSION) \
              $(IMAGE)_$(FAST_MODEL_IMAGE)_$(MODEL_VERSION) $(IMAGE)_$(ACCURATE_MODEL_IMAGE)_$(MODEL_VERSION)
BUILD       = DOCKER_BUILDKIT=$(BUILDKIT) $(DOCKER) $(strip build $(BUILD_OPTIONS)) \
              --build-arg PYTHON_IMAGE=$(PYTHON_IMAGE) --build-arg IMAGE_VERSION=$(IMAGE_VERSION)
BUILD_MODEL = $(BUILD) --build-arg TF_SERVING_IMAGE=$(TF_SERVING_IMAGE) --build-arg WEIGHTS=$(WEIGHTS)
# Builds the image of a demo model, or of a model of one's own: $(call build_model,NAME)
build_model = $(if $(filter $(1),$(DEMO_MODELS)),\
  $(BUILD_MODEL) -t $(IMAGE)_imagenet_$(1)_$(MODEL_VERSION) -f ./imagenet_$(1)/Dockerfile .,\
  @version=$$($(PYTHON) deploy/newest_version.py "$(or $(MODELS_DIR),var/models)" $(1) $(SERVING)) && set -x && \
  $(BUILD) --build-arg TF_SERVING_IMAGE=$(TF_SERVING_IMAGE) --build-arg MODEL=$(1) --build-arg MODEL_VERSION="$$(basename "$$version")" \
    -t $(IMAGE)_model_$(1)_$(MODEL_VERSION) -f ./deploy/docker/Dockerfile.model "$$version")
export DOCKER_REPOSITORY IMAGE_VERSION FAST_MODEL_IMAGE ACCURATE_MODEL_IMAGE

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##  / { print ""; print substr($$0, 4) } /^[a-z_]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##  Without Docker:
.PHONY: run
run: $(VENV)/.run ## Run everything on localhost:8000. Settings: PORT, MODELS_DIR, FAST_MODEL, ACCURATE_MODEL, DATA_DIR, ...
	@exec $(BIN)/python -m deploy.local

.PHONY: models
models: $(VENV)/.run ## Export both models again if trained weights have become available
	@exec $(BIN)/python -m deploy.local.models

.PHONY: check
check: $(VENV)/.dev ## Run the linters and the fast tests, in less than a minute
	@$(MAKE) -j2 lint fast_tests

.PHONY: fast_tests
fast_tests: $(VENV)/.dev
	@env -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadgroup -m "not slow" $(PYTEST_ARGS)

.PHONY: test
test: system_packages $(VENV)/.dev ## Run all tests except those of the containers
	@exec $(BIN)/python -m pytest --ignore=tests/compose -n $(TEST_PROCESSES) --dist loadgroup $(PYTEST_ARGS)

.PHONY: test_all_networks
test_all_networks: $(VENV)/.dev ## Export every network of keras.applications, in hours. NETWORKS="ResNet50 VGG16"
	@NETWORKS="$(or $(NETWORKS),all)" exec $(BIN)/python -m pytest tests/model_export/test_all_networks.py $(PYTEST_ARGS)

.PHONY: chaos
chaos: system_packages $(VENV)/.dev ## Inject faults under load and count lost and duplicated jobs. CHAOS_ARGS="--times 2"
	@exec $(BIN)/python -m tests.chaos $(CHAOS_ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.fuzz ## Fuzz everything that interprets clients' bytes. FUZZ_SECONDS=600 FUZZ_TARGETS="form exif"
	@exec $(BIN)/python -m tests.fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: attack
attack: system_packages $(VENV)/.dev ## Attack the running service beside normal clients. ATTACK_ARGS="--only JPEG"
	@exec $(BIN)/python -m tests.attack $(ATTACK_ARGS)

.PHONY: bench
bench: system_packages $(VENV)/.dev ## Run the benchmarks of bench/README.md. BENCH_ARGS="--quick" for a short run
	@exec $(BIN)/python -m bench $(BENCH_ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check style, types and Dockerfiles
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(CODE)
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile.* */Dockerfile deploy/docker/Dockerfile.*; fi

.PHONY: audit
audit: $(VENV)/.dev ## Look for known vulnerabilities in the dependencies, and for secrets in the files
	@$(BIN)/python -m deploy.audit

.PHONY: format
format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: lock
lock: $(VENV)/.dev ## Upgrade all dependencies and lock their versions and hashes
	@cd requirements && ./lock ../$(BIN)/uv

##  With Docker:
.PHONY: build_all
build_all: build_proxy build_sync build_async build_backend ## Build all images. SERVING=local uses this project's model server; FAST_MODEL and ACCURATE_MODEL as for make run

.PHONY: build_proxy
build_proxy: ## Build the proxy's image
	$(BUILD) -t $(IMAGE)_sync_async_proxy_$(IMAGE_VERSION) -f ./Dockerfile.proxy .

.PHONY: build_backend
build_backend: ## Build the worker's image
	$(BUILD) -t $(IMAGE)_sync_async_backend_$(IMAGE_VERSION) -f ./Dockerfile.backend .

.PHONY: build_sync
build_sync: weights $(SERVING_BUILD) ## Build the fast model's image
	$(call build_model,$(FAST))

.PHONY: build_async
build_async: weights $(SERVING_BUILD) ## Build the accurate model's image. WEIGHTS=untrained allows untrained weights
	$(call build_model,$(ACCURATE))

.PHONY: build_serving
build_serving: ## Build the image of this project's model server
	$(BUILD) -t $(SERVING_IMAGE) -f ./local_tf_serving/Dockerfile .

.PHONY: weights
weights:
	@mkdir -p var/weights && rm -f var/weights/*.h5
	@if [ -n "$(IMAGENET_WEIGHTS_DIR)" ]; then cp -v "$(IMAGENET_WEIGHTS_DIR)"/*.weights.h5 var/weights/; fi

.PHONY: push_all
push_all: push_proxy push_sync push_async push_backend ## Push all images to DOCKER_REPOSITORY
.PHONY: push_proxy push_sync push_async push_backend
push_proxy: ; $(DOCKER) push $(IMAGE)_sync_async_proxy_$(IMAGE_VERSION)
push_sync: ; $(DOCKER) push $(IMAGE)_$(FAST_MODEL_IMAGE)_$(MODEL_VERSION)
push_async: ; $(DOCKER) push $(IMAGE)_$(ACCURATE_MODEL_IMAGE)_$(MODEL_VERSION)
push_backend: ; $(DOCKER) push $(IMAGE)_sync_async_backend_$(IMAGE_VERSION)

.PHONY: c_build
c_build: build_all ## Same as build_all

# The sum in proxy/memory.py, which depends on WORKERS.
c_up: export PROXY_MEM_LIMIT ?= $(or $(call DOTENV,PROXY_MEM_LIMIT),$(shell \
        echo $$((1034 + 630 * $(or $(WORKERS),$(call DOTENV,WORKERS),1))))m)

.PHONY: c_up
c_up: ## Start the containers on localhost:8000 and wait until they are healthy. BACKEND_REPLICAS=3
	@$(PYTHON) deploy/docker/preflight.py $(or $(PORT),8000) "$(DOCKER)" "$(COMPOSE)" $(IMAGES)
	$(COMPOSE) up -d
	@$(PYTHON) deploy/docker/wait.py $(or $(PORT),8000)

.PHONY: c_down
c_down: ## Stop and remove the containers. Jobs stay in a volume
	$(COMPOSE) down

.PHONY: c_logs
c_logs: ## Follow the containers' logs
	$(COMPOSE) logs -f --tail=100

.PHONY: c_ps
c_ps: ## List the containers and their state
	$(COMPOSE) ps

.PHONY: test_compose
test_compose: system_packages $(VENV)/.dev ## Test the images and the running containers, with both kinds of model server
	@exec $(BIN)/python -m pytest tests/compose $(PYTEST_ARGS)

##  Housekeeping:
.PHONY: install
install: $(VENV)/.run ## Install only what `make run` needs

.PHONY: clean
clean: ## Remove the virtual environment, exported models, caches and the jobs in var/data
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: system_packages
system_packages:
	@$(PYTHON) -m deploy.local.system_packages

$(VENV)/bin/python:
	@$(PYTHON) -m deploy.local.preflight
	@echo "make: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements/run.txt requirements/tensorflow-serving-api.txt requirements/redis-server.txt | $(VENV)/bin/python
	@echo "make: installing the services' dependencies (TensorFlow takes most of the time)"
	@$(PIP) -r requirements/run.txt
	@$(MAKE) $(VENV)/.extras
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/tensorflow-serving-api.txt requirements/redis-server.txt | $(VENV)/bin/python
	@echo "make: installing the dependencies of services and tests (TensorFlow takes most of the time)"
	@$(PIP) -r requirements/dev.txt
	@$(MAKE) $(VENV)/.extras
	@touch $@ $(VENV)/.run

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.dev
	@$(PIP) --quiet --no-deps --only-binary :all: -r requirements/fuzz.txt || { \
	  echo "make: atheris, the fuzzer, cannot be installed: it exists for Linux on x86-64 with Python 3.11, 3.12 and 3.13"; exit 1; }
	@touch $@

.PHONY: $(VENV)/.extras
$(VENV)/.extras:
	@$(PIP) --quiet --no-deps -r requirements/tensorflow-serving-api.txt
	@$(BIN)/python -c "from deploy.local.redis_server import find; find()" 2>/dev/null || $(PIP) --quiet --no-deps -r requirements/redis-server.txt
