# `make help` lists the targets. PYTHON=python3.13 make ... uses another interpreter, in an environment of its own.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:

# The distribution's own is optimized as one that was compiled on a machine seldom is: everything takes a sixth less.
PYTHON ?= $(if $(shell /usr/bin/python3 -c 'import sys; print("x" * (sys.version_info >= (3, 11)))' 2>/dev/null),/usr/bin/,)python3
VENV := .venv$(addprefix -,$(filter-out python3,$(notdir $(PYTHON))))
SCENARIOS := $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))
# Checks or scenarios at a time: hosts are waited for more than they compute.
JOBS ?= 2
SCRIPTS := .ci/run $(shell grep --files-with-matches --recursive '^\#!/usr/bin/env bash' tests molecule)

side_by_side = $(MAKE) --keep-going --jobs=$(JOBS) --output-sync=target --no-print-directory
bootstrap = PYTHON="$(PYTHON)" tests/tools/bootstrap $(VENV)
activate = . $(VENV)/bin/activate

# This collection, and no copy that was installed by hand.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections

# Whole lines instead of a frame of 80 columns.
export MOLECULE_COMMAND_BORDERS := false

.PHONY: help
help: ## List the targets
	awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "%-20s %s\n", $$1, $$2 }' Makefile
	echo "molecule-NAME        Run one scenario: $(SCENARIOS)"

.PHONY: quickstart
quickstart: ## Deploy to a sandbox host and prove it
	$(bootstrap) --hosts
	$(activate)
	tests/quickstart/run

.PHONY: test
test: hosts ## Run everything that CI runs, JOBS at a time; scenarios only when the rest is green
	$(side_by_side) unit lint integration sanity repository
	$(MAKE) --no-print-directory molecule

.PHONY: lint
lint: ## Check style and types
	$(bootstrap)
	$(activate)
	ruff check .
	ruff format --check .
	mypy
	shellcheck --severity=warning $(SCRIPTS)
	yamllint --strict .
	ansible-lint --offline
	antsibull-changelog lint
	antsibull-docs lint-collection-docs --plugin-docs .

.PHONY: repository
repository: ## Test the repository's own rules
	$(bootstrap)
	$(activate)
	pytest tests/repository

.PHONY: unit
unit: ## Run the unit tests
	$(bootstrap)
	$(activate)
	pytest tests/unit

.PHONY: sanity
sanity: ## Run ansible-test sanity
	$(bootstrap)
	$(activate)
	tests/tools/ansible_test sanity

.PHONY: integration
integration: ## Run the integration targets that need no real host
	$(bootstrap) --hosts
	$(activate)
	tests/tools/ansible_test integration

.PHONY: molecule
molecule: hosts ## Run every scenario on Debian 12, 13 and 14, JOBS of them at a time; one that fails stops no other
	$(side_by_side) $(SCENARIOS:%=molecule-%) || failed=$$?
	$(MAKE) --no-print-directory summary
	exit $${failed:-0}

.PHONY: summary
summary: ## Say how each scenario ended when it was last run, and why the failed ones failed
	$(activate)
	python tests/tools/scenarios.py summary $(SCENARIOS)

.PHONY: molecule-%
molecule-%: hosts
	$(activate)
	python tests/tools/scenarios.py run $*

.PHONY: hosts
hosts: ## Make the images of the test hosts, and what `molecule` by hand needs
	$(bootstrap) --hosts
	for suite in bookworm trixie forky; do
	  tests/hosts/image $$suite >/dev/null
	done

.PHONY: docs
docs: ## Write the generated parts of the documentation
	$(bootstrap)
	$(activate)
	python tests/tools/role_readme.py
	python tests/tools/plugin_index.py
	python tests/tools/fleet_schema.py

.PHONY: build
build: ## Build the collection's package
	$(bootstrap)
	$(activate)
	ansible-galaxy collection build --force

.PHONY: clean
clean: ## Remove all that make has made
	tests/tools/clean
