# `make run` and `make test` need Python 3.11 and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8000
export PORT

.PHONY: run test chaos check format lock bench screenshots vendor clean help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.product: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else f"BrainScan needs Python 3.11, this is {v[0]}.{v[1]}. Name one: make run PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the dependencies (once; TensorFlow is large) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.product
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.development
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

run: $(VENV)/.product  ## set up what is needed, then run everything on http://127.0.0.1:$PORT
	@exec $(BIN)/python manage.py up

# These tests start programs of the product and wait for them, so they have the machine to themselves.
ALONE := processes or browser or chaos
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
test: $(VENV)/.development  ## all tests
	$(BIN)/python -m pytest $(PARALLEL) -m "not ($(ALONE))"
	$(BIN)/python -m pytest -m "$(ALONE)"

chaos: $(VENV)/.development  ## kill, stop and fill up what runs, at length; the figures of docs/reliability.md
	CHAOS=short $(BIN)/python -m pytest tests/system/chaos
	CHAOS=long $(BIN)/python -m pytest tests/system/chaos
	$(BIN)/python -m tests.system.chaos.report

# What people read.
PROSE := README.md samples/README.md Makefile docs/*.md docs/decisions/*.md templates static/js static/css scripts \
	classifier/wording.py classifier/web classifier/templatetags
# Code keeps the spelling of stored values, files' columns, refusal codes, and names of libraries.
CODE := classifier/*.py classifier/*/ brainscan bench/*.py bench/peer_servers devtools tests
CODE_WORDS := cancelled,licence,licences,writeable,greys,dicom_colour

check: $(VENV)/.development  ## lint, types, layers, spelling, templates, migrations, deployment, containers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --check --lint --quiet
	$(BIN)/biome lint --error-on-warnings
	$(BIN)/codespell $(PROSE)
	$(BIN)/codespell -L $(CODE_WORDS) $(CODE)
	$(BIN)/python manage.py makemigrations --check --dry-run
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') HTTPS=1 \
		$(BIN)/python -W ignore manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

format: $(VENV)/.development  ## rewrite code and templates in our form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint templates --reformat --quiet

LOCK := uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11
lock: $(VENV)/.development  ## pin the dependencies of requirements*.in with their hashes
	$(BIN)/$(LOCK) requirements.in --output-file requirements.txt
	$(BIN)/$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	$(BIN)/$(LOCK) requirements-bench.in --output-file requirements-bench.txt
	$(BIN)/$(LOCK) requirements.in docker/requirements-gpu.in --no-emit-package tensorflow-cpu \
		--output-file docker/requirements-gpu.txt

screenshots: $(VENV)/.development  ## take the screenshots of docs/images
	$(BIN)/python scripts/screenshots.py

vendor: $(VENV)/.development  ## fetch the front-end libraries of static/vendor again
	$(BIN)/python scripts/vendor_static.py

bench: $(VENV)/.bench  ## the benchmarks; DATA=DIR: with images; QUICK=1: a look
	$(BIN)/python -m bench.all $(if $(QUICK),--quick) $(if $(DATA),--data "$(DATA)")

clean:  ## remove what was built; never the data in var/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
