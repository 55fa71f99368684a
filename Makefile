# m1 session stores. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet
PIN = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --generate-hashes --no-annotate --custom-compile-command "make lock"
# Three tests at a time: most wait for a server or a disk. The long ones come first, by folder.
BESIDE := -n 3 --dist loadgroup --no-loadscope-reorder

# Tests start hundreds of servers: none is to compile again what the first one did.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve demo test torture check bench bench-http attack cluster fill docs reference lock sbom \
    clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

serve: $(VENV)/.installed ## install, and start a server on ./data with lines to paste
	@$(BIN)/m1 serve --quickstart

demo: $(VENV)/.installed ## run a server, its console and visitors on it, with lines to paste
	@$(BIN)/python -m scripts.demo $(ARGS)

test: $(VENV)/.tools ## install what tests need, and run them all
	@$(BIN)/python -m pytest $(BESIDE) $(ARGS)

torture: $(VENV)/.tools ## crash, cut and damage it for 45 minutes; as root, else without the power cuts
	@M1_TORTURE=1 $(BIN)/python -m pytest $(BESIDE) tests/crash tests/property \
	    tests/e2e/test_consistency.py tests/e2e/test_resources.py -v -s --durations=0 $(ARGS)

check: $(VENV)/.tools ## format, lint, types and known weaknesses, of the console too
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/bandit -q -ll -c pyproject.toml -r src scripts
	@$(BIN)/oxlint --quiet src/m1/console/web

bench: $(VENV)/.tools ## compare with PostgreSQL and OpenSearch, side by side, as a table
	@$(BIN)/python -m benchmarks.compare $(ARGS)

bench-http: $(VENV)/.tools ## measure updates and queries over HTTP by ourselves, as a table
	@$(BIN)/python -m benchmarks.http $(ARGS)

attack: $(VENV)/.tools ## ten minutes of attacks, and what eight normal clients notice of them
	@$(BIN)/python -m benchmarks.attack $(ARGS)

cluster: $(VENV)/.tools ## run three OpenSearch nodes and two servers over them, with lines to paste
	@$(BIN)/python -m scripts.cluster $(ARGS)

fill: $(VENV)/.tools ## put 1,000,000 made-up sessions into the store stash of a running server
	@$(BIN)/python -m benchmarks.fill $(ARGS)

docs: reference ## build the site in site/, to be opened from there or served by anything
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

reference: $(VENV)/.tools ## write docs/api.md and docs/command.md anew from what there is
	@$(BIN)/python -m scripts.reference > docs/api.md
	@$(BIN)/python -m scripts.commands > docs/command.md

lock: $(VENV)/.release ## pin anew what is installed, in requirements*.lock with hashes
	@$(PIN) --extra opensearch -o requirements.lock
	@$(PIN) --all-extras --group dev -o requirements-dev.lock

sbom: $(VENV)/.release ## list all that a server is made of, in sbom.json (CycloneDX)
	@$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --of JSON -o sbom.json \
	    requirements.lock

clean: ## remove what was installed (never the data)
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.tools: $(VENV)/.installed requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.release: $(VENV)/.installed
	$(INSTALL) --group release
	@touch $@
