# Everything a newcomer needs: `make demo` and `make test`. See CONTRIBUTING.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more than there are cores: many tests wait for a process to start.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
PYTEST := $(BIN)/python -m pytest
LOCK := env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-emit-options --no-emit-trusted-host
DEBIAN_PACKAGES := buildah chromium docker-registry kubectl=kubernetes-client openssh-server openssl postgresql prometheus \
  prometheus-alertmanager skopeo strace util-linux

.PHONY: help demo test lint format bench image soak rules reference lock openapi packages clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A fresh Debian ships Python without the venv module; it is installed when we may, else the command is named.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || deploy/debian-packages python3-venv
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/pyvenv.cfg requirements.lock pyproject.toml
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

packages:  ## Install the Debian packages that the tests talk to
	@deploy/debian-packages $(DEBIAN_PACKAGES)

demo: $(VENV)/run.stamp  ## Run the daemon against the bundled sandbox (ONCE=1: one cycle, then exit)
	@$(BIN)/rotator demo $(if $(ONCE),--once)

test: $(VENV)/dev.stamp packages  ## Run every test, in parallel
	$(PYTEST) -n $(WORKERS) --dist worksteal

lint: $(VENV)/dev.stamp  ## Check style, types, layers and alert rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) --quiet -p no:xdist tests/deploy/test_alert_lint.py

format: $(VENV)/dev.stamp  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## Measure; prints ratios against a reference of the same run
	$(PYTEST) -m benchmark -s -p no:xdist tests/benchmark

image: $(VENV)/dev.stamp packages  ## Build the container image and run the demo in it
	$(PYTEST) -m "image and not soak" -p no:xdist tests/deploy/image

soak: $(VENV)/dev.stamp packages  ## Run the long sweeps
	$(PYTEST) -m soak -o faulthandler_timeout=14400

rules:  ## Write anew what is made of the alert rules, and the dashboard
	deploy/prometheus/make-operator >deploy/prometheus/operator.yaml
	deploy/grafana/make-dashboard >deploy/grafana/rotator.json

reference: $(VENV)/run.stamp  ## Write docs/configuration.md anew from the options' models
	$(BIN)/rotator config reference >docs/configuration.md

openapi: $(VENV)/run.stamp  ## Write the description of the admin API anew
	@$(BIN)/python -m rotator.admin.openapi >docs/openapi.json

lock: $(VENV)/dev.stamp  ## Write the lock files anew from pyproject.toml
	$(LOCK) --build-deps-for editable --output-file requirements.lock pyproject.toml
	$(LOCK) --constraint requirements.lock --output-file requirements-dev.lock \
	  pyproject.toml requirements-dev.in

clean:  ## Remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
