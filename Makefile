# make lab       open the course in JupyterLab      make lab ARGS=--no-browser
# make test      check everything                   make test ARGS="-k habits"
# make hostile   grade the bank of hostile submissions, in each sandbox that is here
# make grader    the environment for `socketlab grade`
# make figures   draw the files in imgs/ again
# make execute   run all notebooks, outputs are kept in place
# make bench     measure: what recording, drawing and grading cost; the course's server beside others
# make format    lint and format code and notebooks
# make clean     remove the environment and everything that tools left
# Another Python for the environment: PYTHON=python3.12 make lab (after make clean, if there is one)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: Python compiles what is imported, pip would compile all that is there.
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check --no-compile --prefer-binary
FIRST := /lab/tree/notebooks/01_first_echo.ipynb
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Bytecode is kept, also where the shell says otherwise: the tests start Python a thousand times.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: lab test hostile grader figures execute bench format clean

lab: $(VENV)/lab.done
	PATH="$(CURDIR)/$(BIN):$$PATH" jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=$(FIRST) $(ARGS)

test: $(VENV)/test.done
	@$(BIN)/python tests/everything.py $(ARGS)

hostile: $(VENV)/test.done
	$(BIN)/python -m pytest tests/test_grading_hostile.py $(ARGS)

grader: $(VENV)/grader.done

figures: $(VENV)/lab.done
	$(BIN)/socketlab figures

execute: $(VENV)/test.done
	$(BIN)/python tests/execute.py notebooks/*.ipynb

bench: $(VENV)/bench.done
	@for file in tests/bench_*.py; do $(BIN)/python $$file || exit 1; done

format: $(VENV)/test.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

# The environment. A stamp is newer than the files that say what to install.

$(VENV)/lab.done: requirements.txt pyproject.toml | $(BIN)/pip
	@echo "Installing the course into $(VENV): about a minute ..."
	$(INSTALL) -r requirements.txt
	@$(BIN)/python -c "import matplotlib.font_manager"  # finds the fonts now, not in a lesson
	@$(BIN)/python -m pytest -p socketlab.harness --version >/dev/null  # compiled for the sandboxes
	@touch $@

$(VENV)/test.done: $(VENV)/lab.done
	$(INSTALL) -e '.[test]'
	@touch $@

$(VENV)/grader.done: $(VENV)/lab.done
	$(INSTALL) -e '.[grading]'
	@touch $@

$(VENV)/bench.done: $(VENV)/test.done
	$(INSTALL) -e '.[bench]'
	@touch $@

$(BIN)/pip:  # comes last, so its presence says that the environment is complete
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is not installed. Name another: PYTHON=python3.12 make lab"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old, or does not run: 3.11 or newer is needed. Name another: PYTHON=python3.12 make lab"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
