# Every target works from a fresh clone with git, python3 and make.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --session-timeout=1800
# Two more than there are cores: most tests wait for processes more than they compute.
CORES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
ARGS ?=
# Every process of the suite would compile the program anew: a third of a web or worker process's start.
export PYTHONDONTWRITEBYTECODE :=
.DEFAULT_GOAL := help
.PHONY: help run test slow check bench screenshots lock build clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 14

run:  ## start web and workers, print the sign-in link
	@$(PYTHON) deploy/bootstrap.py run
	@$(BIN)/openruntime up $(ARGS)

test:  ## the suite, on the SQLite broker with short counts (ARGS="-k word" for less)
	@$(PYTHON) deploy/bootstrap.py test
	@$(PYTEST) -m "not slow" -n $(CORES) --dist loadfile --no-loadscope-reorder $(ARGS)

slow:  ## the whole suite: Redis too, full chaos counts, fuzzing, every screenshot
	@$(PYTHON) deploy/bootstrap.py test
	@$(PYTEST) --suite-broker=redis --timeout=1200 --session-timeout=7200 $(ARGS)

check:  ## format, lint, types, import rules, spelling, docs, security and audit of dependencies
	@$(PYTHON) deploy/bootstrap.py lint
	@$(BIN)/python deploy/check.py $(ARGS)

bench:  ## measure, print one table, write bench/results.json (ARGS="--only NAME")
	@$(PYTHON) deploy/bootstrap.py test
	@$(BIN)/python -m bench $(ARGS)

screenshots:  ## every page of the dashboard from real tasks, into docs/screenshots
	@$(PYTHON) deploy/bootstrap.py test
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

lock:  ## resolve the dependencies anew into deploy/lock (needs uv)
	@$(PYTHON) deploy/lock.py

build:  ## sdist and wheel into dist
	@$(PYTHON) deploy/bootstrap.py run
	@$(BIN)/python -m hatchling build

clean:  ## remove what can be made again (never data/)
	@rm -rf .venv .cache dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +
