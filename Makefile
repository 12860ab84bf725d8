# Two commands do all the set-up: `make demo` and `make test`. Each makes what it needs, and only once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo experiments test test-fast docker lint lock clean

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

# A folder of scenes (make demo ARCHIVE=../scenes), or SOURCE=stac to fetch real ones; neither: simulated scenes.
ARCHIVE ?=
SOURCE ?=
JOBS ?=
PROFILE ?= $(SOURCE)
PYTEST ?= python -m pytest -n auto -q
TESTS ?= tests

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.make/run: requirements.lock pyproject.toml tools/environment.sh
	@echo "Making the environment (.venv) ..."
	@tools/environment.sh requirements.lock $@

.make/dev: requirements-dev.lock pyproject.toml tools/environment.sh
	@echo "Making the development environment (.venv) ..."
	@tools/environment.sh requirements-dev.lock $@
	@touch .make/run

demo: .make/run ## train the forest model here and show the result (ARCHIVE=folder, SOURCE=stac)
	@python tools/demo.py run --archive "$(ARCHIVE)" --profile "$(PROFILE)" --jobs "$(JOBS)"

experiments: .make/run ## after demo: another model, another band set, and the table that compares them
	@python tools/demo.py experiments --archive "$(ARCHIVE)" --jobs "$(JOBS)"

test: .make/dev docker ## everything the tests need, then all tests
	@ruff check generator tests services
	@ruff format --check -q generator tests services
	@mypy
	@$(PYTEST) tests
	@swath service test

test-fast: .make/dev ## the tests without containers and without training
	@$(PYTEST) $(TESTS) -m "not docker and not slow"

docker:
	@tests/support/setup-docker.sh

lint: .make/dev ## style, types, and this repository's own workflow
	@ruff check generator tests services
	@ruff format --check -q generator tests services
	@mypy
	@swath lint

lock: .make/dev ## resolve the dependencies anew
	@uv pip compile -q pyproject.toml --universal --python-version 3.11 --no-emit-index-url --no-header -o requirements.lock
	@uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --no-emit-index-url --no-header -o requirements-dev.lock

clean: ## remove what make made, but not results
	@rm -rf .venv .make
