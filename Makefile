# One entry point for people and for CI. `make help` lists the targets.
#
# Variables (environment or command line):
#   ACCELERATOR=cpu|cuda|tpu   which JAX `make setup` installs
#   CONFIG=tiny|tiny_rows|gemma3_1b  what `make train` trains: tiny, or tiny_rows with DATA_DIR
#   DATA_DIR=DIR               local datasets under the hub's column names
#   REWARD_ADDRESS=HOST:PORT   a running reward server; unset: one is started and stopped
#   RUN=DIR                    which run `make eval`, `generate`, `explore`, `export` and `serve-model` read (runs/latest)
#   METRICS=HOST:PORT          where `make serve-rewards` shows its status page and metrics
#   JOBS=N                     processes of `make test` (2); integration tests share one, whatever their number
#   PYTHON312=3.12             version or path of the Python of `make maxtext`
#   ARGS="..."                 passed on to the command

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
ACCELERATOR ?= cpu
CONFIG ?= $(if $(DATA_DIR),tiny_rows,tiny)
RUN ?= runs/latest
METRICS ?= 127.0.0.1:9464
PYTHON312 ?= 3.12
JOBS ?= 2
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
REQUIREMENTS := requirements/$(if $(filter cpu,$(ACCELERATOR)),dev,$(ACCELERATOR)).txt
INSTALLED := $(VENV)/.installed-$(ACCELERATOR)
STUBS := proto/reward/v1/reward_pb2.py
DATA := $(if $(DATA_DIR),--data-dir $(DATA_DIR))

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# --- set-up ---------------------------------------------------------------------------------

.PHONY: setup
setup: $(INSTALLED) $(STUBS)  ## create .venv, install pinned dependencies, generate the stubs

# Kept when an accelerator's packages are in: `make train` after `make setup ACCELERATOR=tpu` must not undo it.
HAVE := $(firstword $(wildcard $(VENV)/.installed-*))
ifneq ($(HAVE),)
ifeq ($(origin ACCELERATOR),file)
INSTALLED := $(HAVE)
REQUIREMENTS := requirements/$(patsubst cpu,dev,$(patsubst $(VENV)/.installed-%,%,$(HAVE))).txt
endif
endif

$(INSTALLED): $(REQUIREMENTS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Say PYTHON=python3.x"; exit 1; }
	@echo "set-up: installing $(REQUIREMENTS) into $(VENV)"
	@rm -f $(VENV)/.installed-*
	@if command -v uv >/dev/null; then \
		{ test -x $(PY) || uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV); } && \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet -r $(REQUIREMENTS) && \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --no-build-isolation -e . ; \
	else \
		{ test -x $(PY) || $(PYTHON) -m venv $(VENV); } && \
		$(PY) -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS) && \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

# Torch alone and first: where pip finds a CPU build (find-links), it is taken, and nothing of CUDA follows.
INTEROP := $(VENV)/.interop
.PHONY: interop
interop: $(INTEROP)  ## install what the tests against TRL, verl, PEFT, Ray and lm-evaluation-harness need
$(INTEROP): requirements/interop.txt requirements/verl.txt $(INSTALLED)
	@echo "set-up: installing requirements/interop.txt into $(VENV)"
	@$(PYTHON) -m pip --python $(PY) install --quiet --disable-pip-version-check "$$(grep -m1 -o '^torch==[0-9.]*' requirements/interop.in)"
	@if command -v uv >/dev/null; then \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet -r requirements/interop.txt && \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps -r requirements/verl.txt; \
	else \
		$(PY) -m pip install --quiet --disable-pip-version-check -r requirements/interop.txt && \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/verl.txt; \
	fi
	@touch $@

# Beside .venv, not in it: MaxText needs Python 3.12 and another JAX.
MAXTEXT := .venv-maxtext
.PHONY: maxtext
maxtext: $(MAXTEXT)/.installed  ## create .venv-maxtext, for training with --model.source maxtext (needs uv)
$(MAXTEXT)/.installed: requirements/maxtext.txt pyproject.toml
	@command -v uv >/dev/null || { echo "uv is needed, which fetches a Python 3.12 where there is none"; exit 1; }
	@echo "set-up: installing $< into $(MAXTEXT)"
	@test -x $(MAXTEXT)/bin/python || uv venv --quiet --python $(PYTHON312) $(MAXTEXT)
	@VIRTUAL_ENV=$(CURDIR)/$(MAXTEXT) uv pip install --quiet -r $<
	@VIRTUAL_ENV=$(CURDIR)/$(MAXTEXT) uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(STUBS): proto/reward/v1/reward.proto hatch_build.py $(INSTALLED)
	@$(PY) hatch_build.py
	@touch $@

.PHONY: sandbox-image
sandbox-image: setup  ## build the sandbox image (without an engine: says so and goes on)
	@$(PY) -m sandbox build --if-engine

.PHONY: check-sandbox
check-sandbox: setup  ## say whether this host is fit to run untrusted programs, limit by limit
	@$(PY) -m sandbox check

# --- run ------------------------------------------------------------------------------------

.PHONY: serve-rewards
serve-rewards: sandbox-image  ## serve the rewards (ARGS="--listen HOST:PORT ...")
	@exec $(PY) -m reward_server --metrics-listen $(METRICS) $(ARGS)

.PHONY: train
train: sandbox-image  ## train (CONFIG=tiny by default), evaluate before and after, write runs/latest
	@exec $(PY) -m trainer --config $(CONFIG) $(DATA) $(ARGS)

.PHONY: eval
eval: sandbox-image  ## grade a run's checkpoint on held-out splits (RUN=..., ARGS="--limit 100 ...")
	@exec $(PY) -m evals run --checkpoint $(RUN) $(DATA) $(ARGS)

.PHONY: explore
explore: setup  ## read the rollouts of a live or finished run in a browser (RUN=...)
	@exec $(PY) -m evals explore --run $(RUN) $(ARGS)

.PHONY: export
export: setup  ## write a run as merged safetensors and PEFT adapters (RUN=..., ARGS="--dtype float32")
	@exec $(PY) -m trainer.export --run $(RUN) $(ARGS)

.PHONY: serve-model
serve-model: setup  ## serve a run's checkpoint to other harnesses, OpenAI-compatible (RUN=...)
	@exec $(PY) -m evals serve --checkpoint $(RUN) $(ARGS)

.PHONY: generate
generate: setup  ## answer PROMPT="..." greedily with the run's final LoRA checkpoint
	@test -n "$$PROMPT" || { echo 'say what to answer: make generate PROMPT="..."'; exit 2; }
	@exec $(PY) -m trainer.generate "$$PROMPT" --run $(RUN) $(ARGS)

.PHONY: check-data
check-data: sandbox-image  ## check that reference answers earn full marks through a live server
	@exec $(PY) -m tasks check $(DATA) $(ARGS)

# --- check ----------------------------------------------------------------------------------

.PHONY: test
test: sandbox-image  ## run every test (ARGS="-k name ...")
	@$(PY) -m pytest -n $(JOBS) --no-loadscope-reorder $(ARGS)

.PHONY: maxtext-check
maxtext-check: maxtext  ## run the tests of MaxText's model in .venv-maxtext (no part of CI)
	@$(MAXTEXT)/bin/python -m pytest tests/unit/policy/test_maxtext.py tests/unit/policy/test_model_sources.py $(ARGS)

.PHONY: lint
lint: setup  ## style, import directions, types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright

.PHONY: check
check: lint  ## what CI runs: lint and types, then every test; a missing engine fails
	@CI=true $(MAKE) --no-print-directory test

# Torch's own dependencies: `make interop` takes those of the build that it installed.
NO_CUDA := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
.PHONY: lock
lock:  ## compile requirements/*.in into pinned requirements/*.txt (needs uv)
	@for name in dev cuda tpu; do \
		uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
			--custom-compile-command "make lock" requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
	@uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" \
		--constraint requirements/dev.txt $$(printf -- '--no-emit-package %s ' $(NO_CUDA)) \
		requirements/interop.in -o requirements/interop.txt
	@uv pip compile --quiet --universal --python-version 3.12 --no-emit-index-url --custom-compile-command "make lock" \
		requirements/maxtext.in -o requirements/maxtext.txt

.PHONY: clean
clean:  ## remove the virtual environment, the stubs and caches; runs/ stays
	rm -rf $(VENV) $(MAXTEXT) proto/reward/v1/*_pb2* .pytest_cache .ruff_cache .hypothesis *.egg-info
