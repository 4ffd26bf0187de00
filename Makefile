# Each target sets up what it needs in .venv and installs again only when a requirements file has changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-unit faults fuzz check postgresql

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PYTHONUNBUFFERED := 1

BIN := .venv/bin
CHROMIUM := /usr/bin/chromium
# Debian keeps initdb off the PATH; with no server installed this names the target below, which installs one.
POSTGRES := $(firstword $(shell command -v initdb 2>/dev/null) $(wildcard /usr/lib/postgresql/*/bin/initdb) postgresql)
UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet)

# Quick tests first, then those of the service with its databases and processes, then the browser, then the tests that kill processes.
# Benchmarks are not tests.
SLOW_TESTS := $(wildcard tests/browser tests/faults)
SERVICE_TESTS := $(wildcard tests/service tests/emulator)
NO_UNIT_TESTS := $(SLOW_TESTS) $(SERVICE_TESTS) tests/bench tests/pictures
UNIT_TESTS := $(wildcard tests/test_*.py) $(filter-out $(NO_UNIT_TESTS),$(patsubst %/,%,$(wildcard tests/*/)))
# On two cores this halves the wait: much of it is waiting for what was stopped, killed or cut off.
PYTEST_BOTH_CORES = $(BIN)/python -m pytest -n 2 --dist loadfile
TYPED := $(wildcard Home.py pages/*.py) lib

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/installed  ## set up if need be, then serve the console and its API on one port
	$(BIN)/streamlit run Home.py

test: .venv/installed-for-tests $(CHROMIUM) $(POSTGRES) check  ## set up if need be, then every check and every test, browser included
	$(PYTEST_BOTH_CORES) $(UNIT_TESTS)
	$(PYTEST_BOTH_CORES) $(SERVICE_TESTS)
	$(PYTEST_BOTH_CORES) $(SLOW_TESTS)

test-unit: .venv/installed-for-tests  ## only the tests that need neither the service's databases and processes nor a browser
	$(PYTEST_BOTH_CORES) $(UNIT_TESTS)

faults: .venv/installed-for-tests  ## the long campaigns: 200 kills, 200 broken sheet exports, a kill at every call of one, 1,000 cuts of the live feed
	SWITCHYARD_FEED_CUTS=1000 $(BIN)/python -m pytest tests/faults/test_feed_storm.py
	SWITCHYARD_FAULT_KILLS=200 $(BIN)/python -m pytest tests/faults -k kill
	SWITCHYARD_SHEET_FAULTS=200 SWITCHYARD_SHEET_STEPS=2000 $(BIN)/python -m pytest tests/service/operations/test_sheet_faults.py tests/service/operations/test_sheet_walk.py
	SWITCHYARD_SHEET_KILLS=all $(BIN)/python -m pytest tests/faults/test_sheet_kills.py

fuzz: .venv/installed-for-tests  ## feed ten thousand hostile snapshot files to the restore
	SWITCHYARD_FUZZ_FILES=10000 $(BIN)/python -m pytest -s --durations=1 tests/faults/test_hostile_files.py

check: .venv/installed-for-tests  ## style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)

.venv/bin/python:
ifdef UV
	$(UV) venv --quiet --allow-existing --python '>=3.11' .venv
else
	@for python in python3 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python -m venv .venv"; "$$python" -m venv .venv && exit 0; \
	    echo "That Python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; rm -rf .venv; exit 1; \
	  fi; \
	done; echo "Switchyard needs Python 3.11 or newer, and finds none on the PATH." >&2; exit 1
endif

.venv/installed: requirements.txt | .venv/bin/python
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/installed-for-tests: requirements.txt tests/requirements.txt | .venv/bin/python
	$(INSTALL) -r tests/requirements.txt
	@touch .venv/installed $@

# $(call install_debian,what for,packages)
define install_debian
	@if ! command -v apt-get >/dev/null; then \
	  echo "$(1), and there is no apt-get here to install it. Without it: make check test-unit" >&2; exit 1; \
	fi; \
	if [ "$$(id -u)" -eq 0 ]; then as_root=(); \
	elif command -v sudo >/dev/null; then as_root=(sudo); \
	else echo "$(1). As root: apt-get install $(2). Without it: make check test-unit" >&2; exit 1; \
	fi; \
	set -x; \
	"$${as_root[@]}" apt-get update; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(2)
endef

$(CHROMIUM):
	$(call install_debian,The browser tests need Chromium at $(CHROMIUM),chromium fonts-dejavu-core)

postgresql:
	$(call install_debian,The PostgreSQL tests need its server,postgresql)
