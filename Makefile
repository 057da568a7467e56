# Everything a newcomer needs: `make demo`, `make test`. Both create and reuse .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
STAMP := .venv/.installed
DEMO := .venv/.installed-demo

# Options of pip for torch alone, such as an index of builds for the processor: the usual build for
# Linux brings several GB of CUDA, which nothing here needs.
TORCH ?=

.PHONY: demo test test-slow check format docs bench bench-quick clean

demo: $(DEMO)  ## set up, run the embedded study, print the table and the report's path
	$(BIN)/steelyard demo

test: $(STAMP)  ## set up, run the tests (default tier)
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-slow: $(STAMP)  ## real models on real text, minutes
	$(BIN)/python -m pytest -m slow

check: $(STAMP)  ## style, format, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## write the generated pages and build the site in site/; any warning is an error
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)  ## every benchmark, tens of minutes; writes benchmarks/results/
	$(BIN)/python -m benchmarks

bench-quick: $(STAMP)  ## the same with less work, a few minutes; keeps nothing
	$(BIN)/python -m benchmarks --quick

clean:
	rm -rf .venv build dist runs site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first and alone, so that its options hold for it and for nothing else.
$(DEMO): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install -c constraints.txt $(TORCH) torch
	$(PIP) install -c constraints.txt -e ".[demo]"
	touch $(DEMO)

$(STAMP): $(DEMO)
	$(PIP) install -c constraints.txt -e ".[dev]"
	touch $(STAMP)
