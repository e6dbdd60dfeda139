# `make` lists what there is to do. Everything runs in .venv, made on first use.

# What the targets take: make colorize PHOTO=old.jpg RUN=runs/mine. Without RUN
# the trained colorizer that comes with the project answers.
FLAGS ?= experiments/sample_photos.flags
RUN ?=
PHOTO ?=
DATA ?=
BENCH ?= runs/benchmarks
# Recipes take these from the environment, "$$RUN": neither make nor the shell
# sees anything in a name but the name.
override FLAGS := $(value FLAGS)
override RUN := $(value RUN)
override PHOTO := $(value PHOTO)
override DATA := $(value DATA)
override BENCH := $(value BENCH)
export FLAGS RUN PHOTO DATA BENCH
# GPU=1 installs TensorFlow's CUDA build, TORCH=1 adds the tests that compare
# with PyTorch.
GPU ?=
TORCH ?=

VENV := .venv
BIN := $(VENV)/bin
comma := ,
is_on = $(filter-out 0 no off false,$(1))
model := $${RUN:+"--model=$$RUN"}
trained_run := "$${RUN:-runs/sample_photos}"
runtime := $(VENV)/installed-$(if $(call is_on,$(GPU)),gpu,runtime)
testing := $(VENV)/installed-test$(if $(call is_on,$(TORCH)),+bench)

# The first Python that will do, unless one is named: make PYTHON=python3.12
fits := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c '$(fits)' 2>/dev/null && echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help train test test-slow bench lint tensorboard evaluate export \
	colorize demo clean named-photo

help:  ## list what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' \
		$(firstword $(MAKEFILE_LIST))

train: $(runtime)  ## train on the embedded photographs (FLAGS=F, GPU=1)
	$(BIN)/python -m pix2pix_color.fit --flagfile="$$FLAGS"

tensorboard: $(runtime)  ## show the curves and sample grids (RUN=DIR)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m tensorboard.main \
		--logdir $(trained_run)

evaluate: $(runtime)  ## measure the trained colorizer or RUN=DIR (DATA=SPEC)
	$(BIN)/python -m pix2pix_color.evaluate $(model) --data="$$DATA" \
		--output="$${RUN:-runs/trained_colorizer}/evaluation/metrics.json"

export: $(runtime)  ## export a run's newest checkpoint (RUN=DIR)
	$(BIN)/python -m pix2pix_color.export --run=$(trained_run)

colorize: | named-photo $(runtime)  ## color one photograph: PHOTO=some.jpg (RUN=DIR)
	@$(BIN)/python -m pix2pix_color.colorize $(model) -- "$$PHOTO"

demo: $(VENV)/installed-demo  ## color photographs in a browser (RUN=DIR)
	@$(BIN)/python -m pix2pix_color.demo $(model)

named-photo:
	@test -n "$$PHOTO" || { \
		echo "error: name a photograph: make colorize PHOTO=some.jpg" >&2; \
		exit 1; }

# Many tests wait for processes of their own: several at a time are quicker.
test: $(testing)  ## run the fast tests (TORCH=1 compares with PyTorch too)
	$(BIN)/python -m pytest --numprocesses=4 --dist=loadfile \
		--no-loadscope-reorder

test-slow: $(testing)  ## run the tests that take longer
	$(BIN)/python -m pytest -m slow

bench: $(testing)  ## measure speed, of RUN=DIR too; TORCH=1 beside PyTorch (BENCH=DIR)
	mkdir -p "$$BENCH"
	$(BIN)/python -m experiments.benchmarks.input_pipeline \
		--output="$$BENCH/input_pipeline.json"
	$(BIN)/python -m experiments.benchmarks.train_step \
		$(if $(call is_on,$(TORCH)),--against=torch) \
		--output="$$BENCH/train_step.json"
	$(BIN)/python -m experiments.benchmarks.fit --output="$$BENCH/fit.json"
	$(BIN)/python -m experiments.benchmarks.colorize --models="$${RUN:-colorizer}" \
		--output="$$BENCH/colorize.json"

lint: $(testing)  ## check style, import order and types
	$(BIN)/python -m flake8
	$(BIN)/python -m isort --check-only data_pipelines pix2pix_color \
		experiments tests
	$(BIN)/python -m mypy

clean:  ## remove what was installed and built; runs stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each set of extras: installed-test+bench is .[test,bench].
$(VENV)/installed-%: setup.cfg constraints.txt pyproject.toml
	@"$(PYTHON)" -c '$(fits)' 2>/dev/null || { \
		echo "error: Python 3.10, 3.11 or 3.12 is needed, found" \
		"$$("$(or $(PYTHON),python3)" -V 2>&1 | head -n 1);" \
		"name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "error: $(PYTHON) cannot make a virtual environment; on Debian" \
		"and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV), which takes a few minutes, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable \
		'.$(if $(filter-out runtime,$*),[$(subst +,$(comma),$*)])'
	@touch $@
