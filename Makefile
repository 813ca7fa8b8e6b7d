# What one types. `make` alone lists it; tools/ does the work.
PYTHON ?= python3
RUN := .venv/bin/python -m
# The tests that start a Worker, a model or a browser.
SLOW := tests/worker tests/clients tests/page tests/tools
# All the others: they need a processor and nothing else, so each processor runs some of them.
CORE := --numprocesses auto --dist worksteal $(SLOW:%=--ignore %)
# The slow ones wait more than they work. A file's tests stay together: they share a Worker. The
# browser's have a run of their own, for its event loop bears no other beside it.
SHARED := --numprocesses 2 --dist loadfile $(filter-out tests/page, $(SLOW))
.DEFAULT_GOAL := help
.PHONY: help setup dev test check fuzz defences format deploy bench hostile agents sbom clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make what is missing: .venv, node_modules, python_modules, the Pyodide bundle
	@$(PYTHON) -m tools.setup

dev: setup  ## run the Worker with a local model, or with .dev.vars (PORT=8787, MODEL=file.gguf)
	@$(RUN) tools.dev

test: static  ## check everything: format, lint, types, the Worker, the SDKs, the model
	@$(RUN) pytest $(CORE)
	@$(RUN) pytest $(SHARED)
	@$(RUN) pytest tests/page

check: static  ## the quick part of test: nothing that starts a Worker
	@$(RUN) pytest --quiet $(CORE)

fuzz: setup  ## try what nobody thought of, new things each time (10 minutes; SEED=1 draws the same)
	@$(RUN) tools.fuzz $(SEED:%=--seed %) $(ARGS)

defences: setup  ## take out one defence after the other, and see that its tests fail (30 minutes)
	@$(RUN) tools.defences

static: setup
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy --no-error-summary

format: setup  ## put every file into its form, and make the tables anew
	@$(RUN) ruff format .
	@.venv/bin/python tests/fixtures/table.py
	@PYTHONPATH=src:. $(RUN) tools.openapi
	@PYTHONPATH=src:. $(RUN) tools.readme
	@PYTHONPATH=src:. $(RUN) tests.losses.table

deploy: setup  ## check, wrangler deploy, and ask /health (ARGS=--dry-run sends nothing)
	@PYTHONPATH=src:. $(RUN) tools.deploy $(ARGS)

bench: setup  ## measure, and compare with the rivals (20 minutes; ARGS=--quick for two)
	@$(RUN) bench $(ARGS)

hostile: setup  ## what bodies made to hurt cost the isolate, by shape (20 minutes; ARGS="--size 100000")
	@PYTHONPATH=src:. $(RUN) bench.hostile $(ARGS)

agents: setup  ## fetch the real Codex, Claude Code, lm-eval and a collector (1.5 GB), and have them work with the Worker (ARGS="-k resume")
	@$(RUN) pytest tests/agents tests/fetched $(ARGS)

sbom: setup  ## write the software bill of materials, as CycloneDX, into .cache/sbom
	@$(RUN) tools.sbom

clean:  ## remove what was made
	@rm -rf .venv node_modules python_modules .cache .wrangler
