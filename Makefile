PYTHON ?= python3
BIN = .venv/bin

.PHONY: help demo studio test test-all check fix bench docs dist torture gpu

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/ -/'

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet -c constraints.txt -e '.[test]' && touch $@

test: .venv/ready check ## install if needed, then checks and tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not slow and not gpu and not network"

check: .venv/ready ## ruff, mypy, typos
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/typos

fix: .venv/ready ## format and repair what can be repaired by itself
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

demo: .venv/ready ## install if needed, then the tour
	$(BIN)/vitrail demo

studio: .venv/ready ## install if needed, then the page in the browser
	$(BIN)/vitrail studio --open

test-all: .venv/ready check ## all tests, the slow ones too
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not gpu and not network"

gpu: ## the tests and the benchmark of a GPU, with the python of PATH; GPU_DATA is packed by benchmarks/pack_gpu_data.py
	$(PYTHON) -m pytest -q -m gpu tests/test_gpu.py
	$(PYTHON) benchmarks/gpu.py $(or $(GPU_DATA),--tiny) --device cuda --minutes 6 --output build/gpu.json

torture: .venv/ready ## faults and hostile input by the hundred; figures in build/torture
	$(BIN)/python -m pytest tests/torture --whole -q -s

bench: .venv/ready ## the benchmark that needs no data; the others are in benchmarks/README.md
	$(BIN)/python benchmarks/svm_grid.py

docs: .venv/ready ## the pages, in build/docs; built offline, warnings are errors
	$(BIN)/python -m sphinx -W -q -b html -d build/doctrees docs build/docs && echo build/docs/index.html

dist: .venv/ready ## the package, in dist/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
