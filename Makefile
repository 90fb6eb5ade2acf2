# make demo | test | bench | lint | proto | clean, and for development: setup native cpptest soak fuzz wheel.
# Every verb does the set-up it needs by itself; set-up that is done costs well under a second.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON_BIN := .venv/bin/python
# What pytest runs: make test T=tests/batching, or T="-k drain".
T ?=
# How many seconds make fuzz gives each target, and which targets: make fuzz FUZZ_S=600 FUZZ=oip_message.
FUZZ_S ?= 60
FUZZ ?=
# Which rows make bench runs: make bench B=net,mesh. STRICT=1 fails when a goal is missed.
B ?=
STRICT ?=
DIST ?= dist

.PHONY: help setup demo test soak fuzz bench lint format proto native cpptest wheel clean

help:  ## Show the verbs.
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

setup:  ## Install system and Python packages, build the compiled parts.
	@scripts/setup

demo: setup  ## Train, deploy, call and break a real model on a local mesh.
	@$(PYTHON_BIN) examples/demo.py

test: setup lint  ## Lint, then every test: Python, C++, C++ under sanitizers. T= selects.
	@$(PYTHON_BIN) -m pytest $(T)

bench: setup  ## Print ratios against other servers. B=net,mesh selects rows, STRICT=1 enforces goals.
	@STRICT=$(STRICT) $(PYTHON_BIN) -m benchmarks $(if $(B),--only $(B))

lint: setup  ## Check style, formatting and types.
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@# Without its cache, which keeps errors about modules that came into being since; seconds all the same.
	@.venv/bin/mypy --cache-dir=/dev/null --no-error-summary -p skysail
	@.venv/bin/python -m mypy.stubtest --mypy-config-file pyproject.toml skysail.native._core skysail.native.codec

format: setup  ## Rewrite the Python code in the project's format.
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/ruff format --quiet .

proto: setup  ## Regenerate the committed protobuf code.
	@scripts/proto

native: setup  ## Rebuild the compiled parts in place.
	@scripts/build-native

cpptest: setup  ## Run the C++ tests alone, in every flavour.
	@$(PYTHON_BIN) -m pytest tests/native/test_cpp.py $(T)

soak: setup  ## A million calls of every kind, a minute without etcd, ten minutes of random kills.
	@SKYSAIL_SOAK=1 $(PYTHON_BIN) -m pytest tests/native/test_cpp.py tests/e2e/test_steady.py tests/faults/test_store.py tests/faults/test_kills.py -k "native-steady or as_it_was or etcd or kills"

fuzz: setup  ## Look for inputs that break the core, FUZZ_S= seconds a target; FUZZ= selects.
	@scripts/fuzz --seconds $(FUZZ_S) $(FUZZ)

wheel: setup  ## Build a wheel into dist/ (DIST= names another folder).
	@rm -rf build/lib* build/bdist*
	@$(PYTHON_BIN) -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation -w $(DIST) .

clean:  ## Remove everything that was built, the virtual environment included.
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find native -maxdepth 1 -name '*.so' -delete
