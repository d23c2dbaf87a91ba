# `make` prepares .venv; `make up` starts everything; see README.md.
PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
CODEX := ops/codex/node_modules/.package-lock.json
CODEX_NEWEST := ops/codex/newest/node_modules/.package-lock.json
BUF := ops/buf/node_modules/.package-lock.json
AXE := tests/browser/axe/node_modules/.package-lock.json
CHECKED := schemas producers readmodels processors edge ops tests

.PHONY: all up down demo test test-faults test-nightly check-fresh lint mutate mutate-invariants format generate release-contracts \
  lock codex codex-newest buf chromium screenshots clean
.DEFAULT_GOAL := all

all: $(BIN)/oa

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "no virtual environment: install your system's package for it (Debian: python3-venv)"; exit 1; }

.venv/locked: requirements-dev.lock | $(BIN)/python
	@echo "installing into .venv what requirements-dev.lock names (about a minute the first time)"
	@$(BIN)/pip install --quiet --progress-bar on --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(BIN)/oa: .venv/locked pyproject.toml edge/client/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e edge/client
	@touch $@

up: all codex
	$(BIN)/oa up --worker

down: all
	$(BIN)/oa down

demo: all codex
	$(BIN)/python -m ops.demo

# the real Codex for the local worker; a stack without it works, only without a worker
codex:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(CODEX); \
	else echo "no npm, so no Codex: install Node.js with npm, or set OA_CODEX_BIN"; fi

# the newest Codex, which the tests play with too
codex-newest:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(CODEX_NEWEST); \
	else echo "no npm, so no test plays with the newest Codex"; fi

$(CODEX) $(CODEX_NEWEST) $(BUF) $(AXE): %/node_modules/.package-lock.json: %/package.json %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# what compares the protos with what was released; without npm `make lint` names it as left out
buf:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(BUF); fi

# what the tests of the console look through, and with
chromium: all
	@$(BIN)/python -m tests.browser.chromium
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(AXE); fi

# every page of the console at three widths in both themes, into build/screenshots
screenshots: all codex chromium
	$(BIN)/python -m tests.browser.screenshots

# `make up` and a smoke test as root and not, with Java and without, each where nothing was ever installed
check-fresh:
	$(PYTHON) -m ops.fresh

# two processes side by side; in each the slow lanes run while its TEST_BUDGET_S lasts
test: all codex codex-newest chromium lint
	TEST_BUDGET_S=$(or $(TEST_BUDGET_S),0) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# every fault test, slow lanes too; SEED replays a run, ONLY picks by name
test-faults: all codex
	OA_FAULT_SEED=$(SEED) $(BIN)/python -m pytest tests/faults $(if $(ONLY),-k "$(ONLY)")

# the same with a million appends; for a night, not for a change
test-nightly: all codex
	OA_FAULT_SEED=$(SEED) OA_FAULT_APPENDS=1000000 $(BIN)/python -m pytest tests/faults

lint: all buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --exclude '^edge/client/' $(CHECKED)
	$(BIN)/mypy -p oa_client
	$(BIN)/lint-imports
	@set -e; for check in ops/checks/[a-z]*.py; do $(BIN)/python -m ops.checks.$$(basename $$check .py); done

# takes the protecting lines of docs/invariants.md away, one by one in a copy, and shows the test that then fails
mutate-invariants: all
	$(BIN)/python -m ops.mutation.invariants

# mutation testing of the pure modules ([tool.mutmut] in pyproject.toml); `mutmut show <name>` shows a survivor
mutate: all
	rm -rf mutants && mkdir mutants
	nice -n 15 $(BIN)/mutmut run --max-children $(or $(JOBS),2) >mutants/run.out || { tail -c 2000 mutants/run.out; exit 1; }
	$(BIN)/python -m ops.mutation.score

format: all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: all
	$(BIN)/python -m schemas.generate

# gives changed schemas their ids and makes the protos as they are the baseline (docs/adr/0006)
release-contracts: all $(BUF)
	$(BIN)/python -m ops.checks.protos
	$(BIN)/python -m schemas.generate --release

lock:
	for name in requirements requirements-dev ops/stack/kafka/jre; do \
	  $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 $$name.in -o $$name.lock \
	    || exit 1; done

clean:
	rm -rf .venv build mutants *.egg-info edge/client/*.egg-info ops/codex/node_modules ops/codex/newest/node_modules ops/buf/node_modules tests/browser/axe/node_modules .mypy_cache .ruff_cache .hypothesis
