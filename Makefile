# SPDX-License-Identifier: Apache-2.0
#
# Every target builds the environment it needs: `.venv`, from the hashed lock file alone.
# Nothing here needs more than python3 (3.11 or later, with venv), make and git.

PYTHON ?= python3
ARGS ?=
RUNS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
# No index is named in a lock, and the header says how to make it, not where it was made.
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help venv demo check test test-interop simulate bench bench-growth bench-proofs lock format clean

help: ## Show what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.editable ## Build .venv from requirements/dev.txt

demo: venv ## Run a small federation of registries and show what it does
	$(BIN)/a6hub demo $(ARGS)

check: venv ## Run the static checks: format, lint, types, import contracts, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/tidy.py

test: venv ## Run all tests on private services; ARGS="-k word" and the like go to pytest
	$(BIN)/python -m harness.install
	$(BIN)/python -m pytest $(ARGS)

test-interop: venv ## Have libraries of others look at evidence: jose on Node, pymerkle, OpenSSL
	$(BIN)/python -m harness.install interop
	cd interop && npm ci --silent --no-fund --no-audit
	$(BIN)/python -m pytest interop $(ARGS)

simulate: venv ## Simulate the federation under faults: RUNS=1000 seeds, ARGS go to a6hub simulate
	$(BIN)/a6hub simulate --runs $(RUNS) --steps 100 $(ARGS)

bench: venv ## Measure speed against a floor taken in the same run; ARGS go to a6hub bench
	$(BIN)/python -m harness.install
	$(BIN)/a6hub bench --json bench.json $(ARGS)

bench-growth: venv ## Measure what growth costs (ledgers, log, participants, time); ARGS go to a6hub bench-growth
	$(BIN)/python -m harness.install
	$(BIN)/a6hub bench-growth --json bench-growth.json $(ARGS)

bench-proofs: venv ## Measure what proofs about the log cost, as it grows; ARGS go to a6hub bench-proofs
	$(BIN)/python -m harness.install
	$(BIN)/a6hub bench-proofs --json bench-proofs.json $(ARGS)

lock: venv ## Resolve the dependencies again (ARGS=--upgrade for new versions)
	$(LOCK) $(ARGS) pyproject.toml --output-file requirements/runtime.txt
	$(LOCK) $(ARGS) pyproject.toml --group dev --constraint requirements/runtime.txt \
		--output-file requirements/dev.txt

format: venv ## Format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and everything generated
	rm -rf $(VENV) dist demo-output bench.json bench-growth.json bench-proofs.json
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache interop/node_modules
	find . -type d -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# Two stamps, so that a change of the tools' settings in pyproject.toml costs a second, not a
# download. pip runs in isolated steps: first what the lock names, by hash, then ourselves, built
# by the locked hatchling.
$(VENV)/.locked: requirements/dev.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "a6hub: '$(PYTHON)' was not found; install Python 3.11 or later," \
			"or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "a6hub: Python 3.11 or later is needed, but $(PYTHON) is" \
			"$$($(PYTHON) -V 2>&1); try make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "a6hub: this Python cannot make virtual environments;" \
			"on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements/dev.txt
	@touch $@

$(VENV)/.editable: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@
