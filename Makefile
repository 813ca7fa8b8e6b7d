# The commands. `make` alone lists them; the programs are in tools/.
PYTHON ?= python3
RUN := .venv/bin/python -m
# The tests that start a Worker, a model or a browser.
SLOW := tests/worker tests/clients tests/page tests/tools
# All others need only a processor, so each processor runs a part of them, without the plugin that
# only tests/worker/test_openapi.py needs.
CORE := --numprocesses auto --dist worksteal -p no:schemathesis $(SLOW:%=--ignore %)
# The slow ones mostly wait. The tests of one file stay together, because they share a Worker or a
# browser, and the files that take longest begin first.
LONGEST := $(patsubst %,tests/worker/test_%.py,openapi dev cost load keys streams)
FILES = $(sort $(shell find $(SLOW) -name 'test_*.py'))
SHARED = --numprocesses 3 --dist loadfile --no-loadscope-reorder \
	$(LONGEST) $(filter-out $(LONGEST),$(FILES))
.DEFAULT_GOAL := help
# Where the shell forbids bytecode, a dozen processes would compile the same modules, each for itself.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup setup-run dev test check fuzz sweep defences format deploy bench hostile agents sbom clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what is missing: .venv, node_modules, python_modules, the Pyodide bundle
	@$(PYTHON) -m tools.setup

setup-run:
	@$(PYTHON) -m tools.setup run

dev: setup-run  ## run the Worker with a local model, or with .dev.vars (PORT=8787, MODEL=file.gguf)
	@$(RUN) tools.dev

test: static  ## run all checks: format, lint, types, the Worker, the SDKs, the model, the page
	@$(RUN) pytest $(CORE)
	@$(RUN) pytest $(SHARED)

check: static  ## run the quick part of make test: nothing that starts a Worker
	@$(RUN) pytest --quiet $(CORE)

fuzz: setup  ## run tests with random inputs, new ones each time (10 minutes; SEED=1 repeats a run)
	@$(RUN) tools.fuzz $(SEED:%=--seed %) $(ARGS)

sweep: setup  ## run all cases of tests of which make test runs one of each kind (15 minutes)
	@$(RUN) pytest --quiet --numprocesses auto --dist worksteal -m swept --thorough $(ARGS)

defences: setup  ## remove each defence in a copy, and check that its tests fail (30 minutes)
	@$(RUN) tools.defences

static: setup
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy --no-error-summary

format: setup  ## format every file, and write the generated tables
	@$(RUN) ruff format .
	@.venv/bin/python tests/fixtures/table.py
	@PYTHONPATH=src:. $(RUN) tools.openapi
	@PYTHONPATH=src:. $(RUN) tools.readme
	@PYTHONPATH=src:. $(RUN) tests.losses.table

deploy: setup-run  ## check, deploy, and call /health (ARGS=--dry-run only checks)
	@PYTHONPATH=src:. $(RUN) tools.deploy $(ARGS)

bench: setup  ## measure, and compare with other gateways (20 minutes; ARGS=--quick for four)
	@$(RUN) bench $(ARGS)

hostile: setup  ## measure the memory that hostile request bodies need (20 minutes; ARGS="--size 100000")
	@PYTHONPATH=src:. $(RUN) bench.hostile $(ARGS)

agents: setup  ## download Codex, Claude Code, lm-eval and a collector (1.5 GB), and test them (ARGS="-k resume")
	@$(RUN) pytest tests/agents tests/fetched $(ARGS)

sbom: setup-run  ## write a list of everything that a build contains (CycloneDX) into .cache/sbom
	@$(RUN) tools.sbom

clean:  ## remove everything that was installed
	@rm -rf .venv node_modules python_modules .cache .wrangler
