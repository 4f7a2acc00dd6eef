# make run: start Frontdesk. make test: every test. make check: everything that needs no running.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PINS := deploy/constraints.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS)
CODE := bot inference moderation worker tests benchmarks

.PHONY: setup run test fire check bench train-imdb train-moderation format widget clean

run: $(VENV)/.run
	@$(BIN)/frontdesk up $(ARGS)

setup: $(VENV)/.dev

test: $(VENV)/.dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --fail-under=85

# Takes workers, bots, Redis, PostgreSQL and the disk away while people chat: some minutes, on a machine that does little else.
fire: $(VENV)/.dev
	$(BIN)/python -m pytest tests/fire $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check
	$(BIN)/pip-audit --progress-spinner off --disable-pip --no-deps --requirement $(PINS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Half an hour on two cores. make bench SERVING=--quick: less of the second.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/overhead.py $(ARGS)
	$(BIN)/python benchmarks/serving.py $(SERVING)
	$(BIN)/python benchmarks/screening.py normalise
	$(BIN)/python benchmarks/screening.py screen
	$(BIN)/python benchmarks/moderation_soak.py

# The example of the text-classification trainer: about an hour on two free cores. DATA is the folder with imdb/.
train-imdb: $(VENV)/.dev
	$(BIN)/frontdesk train classifier $(DATA)/imdb/train.jsonl.gz --test $(DATA)/imdb/test.jsonl.gz \
		--name imdb --drop '<br />' --rate 5e-5 --steps 250 $(ARGS)

# The shipped moderation model, anew: about an hour on two free cores. DATA is the folder of the sets in sources.yaml. What
# the recipe is worth on sources never seen: python -m moderation.training cross --data DATA (some hours).
train-moderation: $(VENV)/.dev
	$(BIN)/python -m moderation.training train moderation/model --data $(DATA) $(ARGS)

# The built widget is committed: only who changes its TypeScript needs Node.
widget:
	cd bot/widget && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Frontdesk needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; } # half a one (Debian without python3-venv) would look whole

$(VENV)/.run: pyproject.toml $(PINS) | $(BIN)/python
	@echo "installing what running needs (a minute or so, once) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(PINS) | $(BIN)/python
	@echo "installing what tests and training need (some minutes, once) ..."
	@$(PIP) --editable '.[dev,train]'
	@touch $@ $(VENV)/.run
