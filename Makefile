# Everything a developer does here is one word. `make` lists the words.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest -q
# House tests are part of check.
TESTS := tests/spec tests/unit tests/sim tests/laws tests/compat tests/support tests/bench tests/wire tests/faults
# A node that compiles its three hundred modules at every start takes twice the time: where this is set, it is not.
export PYTHONDONTWRITEBYTECODE :=
# More words for pytest or the bench: make unit ARGS="-k listpack -x"
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##: setting up

.PHONY: setup
setup: $(STAMP) ## make .venv and install shardkv and what its tests need
	@:

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "shardkv needs Python 3.11 or later (make PYTHON=/path/to/python3.11 setup)" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "python3 -m venv failed (Debian package: python3-venv)" >&2; exit 1; }
	@echo "installing into $(VENV)"
	@export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1; \
	  $(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'; \
	  $(BIN)/python -m pip install -qq --editable . --group test
	@touch $@

# The oracle and the driver of the tests: real Redis, beside which shardkv is held.
.PHONY: tools
tools:
	@missing=""; for tool in redis-server redis-cli redis-benchmark; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	  echo "not found:$$missing (Debian packages: redis-server redis-tools)" >&2; exit 1; fi

##: quality

.PHONY: check
check: setup ## formatting, lint, types, layers, house rules
	$(BIN)/ruff format --check --output-format=concise .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	@echo lint-imports; report=$$($(BIN)/lint-imports --no-cache) || { echo "$$report"; exit 1; }
	$(PYTEST) tests/house $(ARGS)

.PHONY: format
format: setup ## put the code into the one format
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

.PHONY: test
test: setup tools check ## everything that must pass before a commit lands
	HYPOTHESIS_PROFILE=ci $(PYTEST) -m "not long" $(TESTS) $(ARGS)

.PHONY: unit
unit: setup ## one module at a time, in process
	$(PYTEST) -m "not long" tests/unit $(ARGS)

.PHONY: spec
spec: setup ## commands as specifications, in process
	$(PYTEST) -m "not long" tests/spec $(ARGS)

.PHONY: sim
sim: setup ## simulated clusters; NODES=1000 SEED=7 choose one
	$(if $(SEED),SEED=$(SEED) )$(if $(NODES),NODES=$(NODES) )$(PYTEST) tests/sim $(ARGS)

.PHONY: compat
compat: setup tools ## against the frozen tables and the real redis-server
	$(PYTEST) -m "not long" tests/compat $(ARGS)

.PHONY: laws
laws: setup tools ## the laws with many examples (minutes)
	HYPOTHESIS_PROFILE=laws $(PYTEST) tests/laws $(ARGS)

.PHONY: wire
wire: setup tools ## real node processes and real clients
	$(PYTEST) -m "not long" tests/wire $(ARGS)

.PHONY: wire-long
wire-long: setup tools ## the wire tests that take minutes
	$(PYTEST) -m long tests/wire $(ARGS)

.PHONY: faults
faults: setup tools ## nodes that crash at every step of their work on files, and what a cluster loses by a fault beside Redis Cluster (minutes)
	$(PYTEST) -m long tests/faults tests/unit $(ARGS)
	$(BIN)/python -m tests.faults

.PHONY: bench
bench: setup tools ## side by side with redis-server: throughput and CPU, held to the budget
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: shape
shape: setup ## the longest modules and functions: a mirror, not a gate
	@$(BIN)/python -m tests.house.shape $(ARGS)

##: using

.PHONY: docs
docs: setup ## write the generated references of options and commands
	@$(BIN)/python -m shardkv.config.reference >$(VENV)/reference && mv $(VENV)/reference shardkv/config/OPTIONS.md
	@$(BIN)/python -m shardkv.engine.reference >$(VENV)/reference && mv $(VENV)/reference shardkv/commands/COMMANDS.md

.PHONY: cluster
cluster: setup ## start a local cluster: three primaries, three replicas, ports 7000 to 7005
	@$(BIN)/python -m shardkv_cli.local start --dir cluster --port 7000

.PHONY: cluster-stop
cluster-stop: setup ## stop the local cluster
	@$(BIN)/python -m shardkv_cli.local stop --dir cluster

.PHONY: clean
clean: ## remove what the tools leave behind, and .venv
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
