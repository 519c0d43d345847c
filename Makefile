# make demo         train the first models and draw them
# make test         run the tests
# make test-slow    run the tests that take minutes
# make soak         disturb training for an hour (MINUTES=60) and count what was lost
# All install into .venv first, the demo only what it needs. For the newest packages:
# make clean, then make CONSTRAINTS=/dev/null test

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
BIN := .venv/bin
RUN := $(BIN)/python -m
MINUTES ?= 60

.PHONY: demo test test-slow soak lint format wheel docs bench clean

demo: .venv/base
	$(BIN)/toymono sweep --task decoder --k 512 --init_bias -1
	$(BIN)/toymono plots

# Compiling small programs takes most of the time, and half as long without XLA's fusion emitters:
# tests that do not need them run apart. Other versions of XLA may not know the flag.
WORKERS := -n logical --maxprocesses 4 --dist loadfile
QUICKLY := $(if $(filter constraints.txt,$(CONSTRAINTS)),XLA_FLAGS=--xla_cpu_use_fusion_emitters=false)

test: .venv/ready
	$(RUN) pytest $(WORKERS) -m 'exact and not slow'
	$(QUICKLY) $(RUN) pytest $(WORKERS) -m 'not exact and not slow'

test-slow: .venv/ready
	$(RUN) pytest -m slow

soak: .venv/ready
	$(BIN)/python tests/attacks/soak.py --minutes $(MINUTES)

lint: .venv/ready
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(BIN)/basedpyright

format: .venv/ready
	$(RUN) ruff check --fix
	$(RUN) ruff format

# The wheel, installed into an empty environment, runs the demo at a tiny size in an empty folder.
wheel:
	rm -rf build  # setuptools would pack what an earlier build left there
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/pip wheel --quiet --disable-pip-version-check --no-deps -w build/wheel .
	build/wheel/env/bin/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) build/wheel/*.whl
	mkdir build/wheel/empty
	cd build/wheel/empty && ../env/bin/toymono sweep --preset smoke --init_bias -1
	cd build/wheel/empty && ../env/bin/toymono plots --format png
	cd build/wheel/empty && ../env/bin/toymono zoo
	test -s build/wheel/empty/figures/gallery.md

# make docs    build the documentation site into docs/_build
docs: .venv/ready
	$(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[docs]'
	$(RUN) sphinx -W --keep-going -q docs docs/_build

bench: .venv/ready
	$(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[bench]'
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/lenses.py
	$(BIN)/python benchmarks/step.py

clean:
	rm -rf .venv build docs/_build docs/reference/commands docs/reference/generated *.egg-info

.venv/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.13 $(MAKECMDGOALS)'; exit 1; }
	@echo 'installing into .venv (a few minutes the first time)'
	@$(PYTHON) -m venv .venv
	@$(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	@touch $@

.venv/ready: .venv/base
	@$(RUN) pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[test]'
	@touch $@
