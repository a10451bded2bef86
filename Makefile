# The whole interface for people and CI. `make` alone lists the targets.
#
#   ARGS    what a target passes on:   make serve ARGS="--port 8000 --no-open"
#   PYTHON  which Python to build on:  make serve PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
STEPS := $(BIN)/python -X utf8
# As the bot itself has it: on matrices as small as ours threads cost more than they bring.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.DEFAULT_GOAL := help
.PHONY: help serve dev test check format eval scale train load lock audit browser clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##/make \1\t/p' $(MAKEFILE_LIST)

serve: $(VENV)/.serve  ## open the chat in the browser
	$(BIN)/yuanwen serve $(ARGS)

dev: $(VENV)/.dev  ## install what testing, measuring and training need

test: $(VENV)/.dev browser  ## run every test, the pages in Chromium last
	$(STEPS) -m pytest $(ARGS)

check: $(VENV)/.dev  ## formatting, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## mend formatting and what lint can mend itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

eval: $(VENV)/.dev  ## measure answers and speed, and retrieval where there is a benchmark: make eval DATA=folder
	$(ONE_THREAD) $(STEPS) -m evaluation $(if $(DATA),--data "$(DATA)") $(ARGS)

scale: $(VENV)/.dev  ## measure growth to a million passages, beside a Milvus server of its own: make scale DATA=folder
	$(ONE_THREAD) $(STEPS) -m tests.milvus $(STEPS) -m evaluation.scale --plot docs/images/scale.svg $(if $(DATA),--data "$(DATA)") $(ARGS)

train: $(VENV)/.dev  ## train the encoder from files of pairs: make train DATA=folder
	@test -n "$(DATA)" || { echo "expected a folder of *.tsv.xz pairs; next: make train DATA=folder"; exit 2; }
	$(STEPS) -m training --data "$(DATA)" $(ARGS)

load: $(VENV)/.dev  ## load, memory and kill tests on loopback
	$(STEPS) -m tests.load $(ARGS)

lock: $(VENV)/.dev  ## resolve all dependencies again into requirements/
	$(STEPS) requirements/lock.py

audit: $(VENV)/.dev  ## a bill of materials in build/, and known vulnerabilities of what serving takes
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml -o build/sbom.json requirements/serve.txt
	@echo "Bill of materials: build/sbom.json"
	$(STEPS) requirements/audit.py

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist test-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

browser:
	@.ci/browser

$(VENV)/.serve: requirements/serve.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "expected Python 3.11 or later, found $$($(PYTHON) -V 2>&1); next: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "expected python3 with venv; next, on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing (a minute or two, once) ..."
	$(INSTALL) -r requirements/serve.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# PyTorch in the build that pip takes here, if its hash is locked, and the libraries of that build: see requirements/lock.py.
$(VENV)/.dev: $(VENV)/.serve requirements/dev.txt requirements/torch.txt requirements/torch-cuda.txt
	@echo "Installing what tests need (some minutes, once) ..."
	$(INSTALL) -r requirements/dev.txt
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps -d $(VENV)/torch \
		$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements/torch.txt)
	$(INSTALL) --no-index --find-links $(VENV)/torch -r requirements/torch.txt
	@rm -r $(VENV)/torch
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || $(INSTALL) -r requirements/torch-cuda.txt
	$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@
