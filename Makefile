# The commands of this project; README.md and CONTRIBUTING.md say when to use which.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := runtime config broker account_svc order_svc sell_svc gateway sandbox deploy
ARGS ?=

.PHONY: help env stubs lock run demo test bench check fmt wheel clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# The environment is made anew only when what it is made of changes.
$(VENV)/.installed: requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; call make with PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

env: $(VENV)/.installed stubs ## the environment in .venv from the lock file, and the stubs

stubs: $(VENV)/.installed ## the gRPC code from protos/, into build/stubs
	@$(BIN)/python hatch_build.py

run: env ## the four services in this terminal; with no secrets.yml also the sandbox exchange
	@$(BIN)/python -m deploy.run

demo: env ## what the system does, step by step; exits non-zero when a step did not happen
	@$(BIN)/python tests/e2e/demo.py

test: check ## everything: environment, lint, types, all tests (ARGS=-k…)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

bench: env ## the benchmarks, as ratios in one run; writes bench/results.json
	@$(BIN)/python tests/bench/run.py

check: env ## lint, format, types, layers, protos; seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) tests hatch_build.py
	$(BIN)/lint-imports
	$(BIN)/buf lint build/stubs/opitios/descriptors.binpb --config protos/buf.yaml
	@$(BIN)/python hatch_build.py breaking

fmt: env ## formats the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: env ## the distribution, into dist/
	$(BIN)/python -m hatchling build -t wheel

lock: env ## requirements.lock from pyproject.toml (needs uv on the PATH)
	uv pip compile --quiet --generate-hashes --no-header --no-annotate --all-extras --python-version 3.11 --universal pyproject.toml -o requirements.lock

clean: ## removes what was built; keeps data/, logs/ and secrets.yml
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
