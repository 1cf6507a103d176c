# demo: the main job on a real clip · test: the tests · test-install: what users get, in new environments · check: style and types
# packages: sdists and wheels in dist/ · bench: timings · chaos: faults · docs: the pages that are measured
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BASE := $(VENV)/.base
SETUP := $(VENV)/.set-up

.PHONY: setup demo test test-install check packages bench chaos docs

setup: $(SETUP)

$(BASE): pyproject.toml constraints.txt  # a stream on a CPU: no PyTorch
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv is missing: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --quiet --constraint constraints.txt --editable .
	@$(RUN) -c 'import cv2' || \
	  { echo "OpenCV lacks a library of the system: sudo apt install libgl1 libglib2.0-0"; exit 1; }
	@touch $(BASE)

$(SETUP): $(BASE)
	$(RUN) -m pip install --quiet --quiet --constraint constraints.txt --editable '.[test,web,train,export]'
	@touch $(SETUP)

demo: $(BASE)
	@$(RUN) run_stream.py demo

IN_BROWSER := tests/stream/web/static

test: setup  # the page's apart: Playwright keeps an event loop running, which tests of asyncio cannot bear
	$(RUN) -m pytest --ignore=$(IN_BROWSER)
	$(RUN) -m pytest -rs $(IN_BROWSER)

test-install: setup  # three minutes on two cores; pip fetches what it has not yet
	$(RUN) -m pytest tests/packaging

check: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/vulture

packages: setup
	$(RUN) tools/build.py

bench: setup
	$(RUN) tools/bench.py --json out/bench.json --markdown docs/performance.md

chaos: setup  # ten minutes; its exit code says whether all held
	$(RUN) tools/chaos.py --json out/chaos.json --markdown docs/reliability.md

docs: setup
	$(RUN) tools/evaluate.py --json out/evaluation.json
	$(RUN) tools/bench.py --json out/bench.json --markdown docs/performance.md
