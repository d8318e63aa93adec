# Two commands for a newcomer: `make demo` and `make test`. Both make the two environments that the
# product lives in, one for the engine and one for Blender, and need nothing but Python 3.11 or 3.13.

# The Blender of each Python that the bpy package is built for.
BPY_3.11 := 4.5.15
BPY_3.13 := 5.3.0
# What a Python prints, or nothing where it is missing or cannot make environments.
says = $(shell $(1) -c "import ensurepip, sys; print($(2))" 2>/dev/null)
NO_PYTHON = $(error Blender's bpy package needs Python 3.13 or 3.11: install one with its venv module \
  (Debian 13: apt install python3-venv; Ubuntu 24.04: python3.13-venv of ppa:deadsnakes/ppa) and run make again)
PYTHON ?= $(or $(firstword $(foreach version,3.11 3.13,$(call says,python$(version),'python$(version)'))),$(NO_PYTHON))
BPY ?= bpy==$(or $(BPY_$(call says,$(PYTHON),'%d.%d' % sys.version_info[:2])),$(NO_PYTHON))

# How pip finds torch; for a CUDA or a CPU-only build give the options that pytorch.org shows for it,
# for example  make demo TORCH_OPTIONS="--index-url <address>"
TORCH_OPTIONS ?=
OUT ?= demo_output

ENGINE := .venv-engine
BLENDER := .venv-blender
ENGINE_PYTHON := $(abspath $(ENGINE)/bin/python)
BLENDER_PYTHON := $(abspath $(BLENDER)/bin/python)
# Tests share by files what takes time to make, so a process that is done takes tests from the other.
QUICK := -m "not slow"
IN_TWO := -n 2 --dist worksteal
ENGINE_TESTS := OMP_NUM_THREADS=1 $(ENGINE_PYTHON) -m pytest $(IN_TWO) tests/engine
BLENDER_TESTS := PVD_ENGINE_PYTHON=$(ENGINE_PYTHON) \
  $(BLENDER_PYTHON) -m pytest $(IN_TWO) tests/blender
BLENDER_DEV := pytest==9.2.0 pytest-timeout==2.4.0 pytest-xdist==3.8.0 pytest-randomly==5.1.0
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

# A Blender application (not the bpy package) for the tests in a window, and what to put before it:
# make test-gui GUI_BLENDER=~/blender-5.2/blender GUI_RUN="xvfb-run -a -s '-screen 0 1600x2000x24'"
GUI_BLENDER ?= blender
GUI_RUN ?=
GUI_OUT ?= gui_output
FUZZ_OUT ?= fuzz_output
KILLS_OUT ?= kills_output

# The capture that `make results` and `make test-gpu` measure on, such as lego of NeRF-Synthetic at 200 x 200.
CAPTURE ?= lego
RESULTS_OUT ?= results_output
BENCH := $(ENGINE_PYTHON) -m pvd_engine bench

.PHONY: demo test test-all test-engine test-blender test-blenders slow-tests test-gui test-gpu fuzz kills results lint addon options setup clean

demo: setup  ## Make a capture, train, edit and convert it inside Blender; leaves a folder
	PVD_ENGINE_PYTHON=$(ENGINE_PYTHON) $(BLENDER_PYTHON) examples/demo.py --out $(OUT)

test: setup lint test-engine test-blender  ## The checks of a change
test-all: test slow-tests test-blenders  ## And what is slow: all pairs, all Blenders

setup:  ## Both environments, side by side
	@$(MAKE) --no-print-directory --jobs 2 $(BLENDER)/.ready $(ENGINE)/.ready

test-engine: $(ENGINE)/.ready
	$(ENGINE_TESTS) $(QUICK)

test-blender: setup addon
	$(BLENDER_TESTS) $(QUICK)

# Tests with the marker "slow"; pytest's exit code 5 would say that there are none.
slow-tests: setup addon
	$(ENGINE_TESTS) -m slow
	$(BLENDER_TESTS) -m slow

lint: $(ENGINE)/.ready
	$(ENGINE_PYTHON) -m ruff format --check .
	$(ENGINE_PYTHON) -m ruff check .
	$(ENGINE_PYTHON) -m pyright --pythonpath $(ENGINE_PYTHON)

options: $(ENGINE)/.ready  ## The table of the engine's options that the add-on reads
	$(ENGINE_PYTHON) -m pvd_engine.verbs.option_table pvd_blender/state/engine_options.json

addon: $(BLENDER)/.ready options  ## The extension zip, checked by Blender's own validator
	rm -rf dist && $(BLENDER_PYTHON) build_addon.py --out dist

# The add-on, installed from its zip, in every Blender; needs python3.11 and python3.13.
test-blenders: setup addon
	for pair in 3.11:4.2.23 3.11:4.5.15 3.11:5.0.1 3.13:5.2.3 3.13:5.3.0; do \
	  version=$${pair#*:}; environment=.venv-blender-$$version; \
	  [ -f $$environment/.ready ] || { python$${pair%:*} -m venv $$environment && \
	    $$environment/bin/python $(PIP_INSTALL) bpy==$$version $(BLENDER_DEV) && \
	    touch $$environment/.ready; } || exit 1; \
	  PVD_ADD_ON_ZIP="$$(ls $(CURDIR)/dist/*.zip)" PVD_ENGINE_PYTHON=$(ENGINE_PYTHON) \
	    $$environment/bin/python -m pytest tests/blender || exit 1; \
	done

# The add-on by mouse and keyboard in a real window, with pictures of every state; 15 minutes.
test-gui: setup addon
	GUI_BLENDER="$(GUI_BLENDER)" GUI_RUN="$(GUI_RUN)" GUI_OUT="$(GUI_OUT)" \
	ADD_ON_ZIP="$$(ls dist/*.zip)" PVD_ENGINE_PYTHON=$(ENGINE_PYTHON) \
	  $(ENGINE_PYTHON) -m pytest -s tests/gui

# On a machine with an NVIDIA GPU: kernels against their references, the engine's tests on CUDA, and
# what the GPU reaches.
test-gpu: $(ENGINE)/.ready
	@$(ENGINE_PYTHON) -c "import sys, torch; torch.cuda.is_available() or sys.exit( \
	  'make test-gpu needs an NVIDIA GPU, and a build of torch for CUDA (see TORCH_OPTIONS).')"
	$(ENGINE_PYTHON) -m pvd_engine compile
	$(ENGINE_PYTHON) -m pytest tests/engine/test_kernels_on_cuda.py
	PVD_TEST_DEVICE=cuda $(ENGINE_PYTHON) -m pytest -n 4 --dist worksteal tests/engine $(QUICK)
	$(BENCH) gpu $(CAPTURE) --budget 60s --out $(RESULTS_OUT)/gpu

# Broken files for every reader, in processes that may not take much; ten minutes on two cores.
fuzz: setup
	$(ENGINE_PYTHON) -m tests.fuzz --inputs 20000 --out $(FUZZ_OUT)
	$(BLENDER_PYTHON) -m tests.fuzz.add_on --inputs 20000

# Ends every command that writes at any moment, and lets it go on: see tests/kills.
kills: setup
	$(ENGINE_PYTHON) -m tests.kills --kills 300 --out $(KILLS_OUT)

# Measures on a machine without other work, and writes the tables of docs/results.md; 55 minutes on
# two cores. What a run that was interrupted has made is not made again.
results: $(ENGINE)/.ready
	$(BENCH) kernels --out $(RESULTS_OUT)/kernels
	$(BENCH) step $(CAPTURE) --budget 30s --out $(RESULTS_OUT)/step
	$(BENCH) cost $(CAPTURE) --out $(RESULTS_OUT)/cost
	$(BENCH) budgets $(CAPTURE) --budget 120s --out $(RESULTS_OUT)/budgets
	$(BENCH) budgets $(CAPTURE) --budget 120s --targets mlp --out $(RESULTS_OUT)/budgets-students
	$(BENCH) speed $(CAPTURE) --budget 90s --no-plain --out $(RESULTS_OUT)/speed
	$(BENCH) frames $(CAPTURE) --budget 20s --out $(RESULTS_OUT)/frames
	$(BENCH) matrix $(CAPTURE) --budget 20s --out $(RESULTS_OUT)/matrix
	$(ENGINE_PYTHON) -m docs.list_results $(RESULTS_OUT)

$(ENGINE)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ENGINE)
	$(ENGINE_PYTHON) $(PIP_INSTALL) $(TORCH_OPTIONS) -c constraints.txt torch
	$(ENGINE_PYTHON) $(PIP_INSTALL) -c constraints.txt -e .[fast,heic,onnx,dev]
	touch $@

$(BLENDER)/.ready:
	.ci/system-libraries
	$(PYTHON) -m venv $(BLENDER)
	$(BLENDER_PYTHON) $(PIP_INSTALL) $(BPY) $(BLENDER_DEV)
	touch $@

clean:  ## Remove environments and everything made
	rm -rf .venv-* build dist demo_output gui_output fuzz_output kills_output results_output *.egg-info
