# Octavo. `make` lists what can be asked for.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Another Python than the first that fits: make run PYTHON=python3.12
# What to hand to the tests or benches: make test ARGS="-k ledger -x"
ARGS ?=
# How often `make soak` runs the tests, and beside how many busy loops.
RUNS ?= 5
BUSY ?= 0

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --extra build pyproject.toml

.PHONY: help run test soak check lint format docs bench lock clean setup-run setup-test

help: ## List what can be asked for
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: setup-run ## Install what is needed, start the service and send it the sample documents
	@exec $(BIN)/octavo demo

test: setup-test ## Install what the tests need and run them
	@$(BIN)/pytest --numprocesses auto --dist loadgroup $(ARGS)

soak: setup-test ## Run the tests RUNS times beside BUSY busy loops and list what failed
	@$(BIN)/python -m scripts.repeat_tests --runs $(RUNS) --busy $(BUSY) $(ARGS)

check: lint test ## Everything CI asks for: import rules, lint, format, types, tests

lint: setup-test ## Import rules, lint, format and types, without the tests
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup-test ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup-test ## Write docs/reference anew from the code
	@$(BIN)/python -m scripts.reference

bench: setup-test ## Measure a stack of its own; writes scorecards
	@$(BIN)/python -m bench.latency $(ARGS)

lock: setup-test ## Solve the dependencies anew; ARGS=--upgrade for newer versions
	@$(LOCK) $(ARGS) --output-file requirements.lock
	@$(LOCK) $(ARGS) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## Remove the environment and every cache, but no data
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup-run:
	@python=$$(scripts/find_python.sh) && "$$python" scripts/system_packages.py run && "$$python" scripts/set_up.py run

setup-test:
	@python=$$(scripts/find_python.sh) && "$$python" scripts/system_packages.py test && "$$python" scripts/set_up.py test
