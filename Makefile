# One command for each thing people do. Everything that is installed goes into .venv/.
PYTHON ?= python3
VENV := .venv
SERVING := .venv-serving
EVERYTHING := train,dev# a comma would end an argument of $(call)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
UV_INSTALL := pip install --quiet --constraint constraints.txt
# Over how many processes is said with each group: more than there are processors, since all of them wait at times.
DIVIDED := --dist loadfile --no-loadscope-reorder --durations 12 --numprocesses
# What is compiled where there is a C compiler.
IN_C := $(wildcard app/*.c monitoring/signals/*.c)
STORE := $(if $(VELETA_STORE),$(VELETA_STORE),models)

# Wherever it is set, each of the hundreds of programs that the tests start would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install gpu run test lint test-training test-the-rest test-serving test-clients test-browser test-outside docker-check format clean packages

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## everything, in .venv/

# Both are the same files under two names, so that one has to go before the other comes.
gpu: $(VENV)/.installed ## TensorFlow for NVIDIA GPUs in place of that for processors (5 GB more)
	@$(VENV)/bin/uv pip uninstall --quiet --python $(VENV)/bin/python tensorflow-cpu
	@$(VENV)/bin/uv $(UV_INSTALL) --python $(VENV)/bin/python 'tensorflow[and-cuda]'

run: $(VENV)/.installed ## train the default model if the store is empty, and serve on port 8000
	@if $(VENV)/bin/veleta models --json | grep -q '"models": \[\]'; then \
		echo "The store $(STORE)/ is empty: training the default model (digits), two to three minutes." >&2; \
		$(VENV)/bin/veleta train; \
	fi
	@exec $(VENV)/bin/veleta serve

test: ## install what is missing and run every test
	@$(MAKE) packages # first, since it brings a C compiler
	@$(MAKE) --jobs 2 lint $(SERVING)/.installed # side by side, since what installs waits for the network
	@$(MAKE) --jobs 2 test-training test-the-rest
	@$(MAKE) docker-check

# The training tests beside it take what these leave: most of them wait for a server or a browser much of the time.
test-the-rest: ## test-serving, then test-outside
	@$(MAKE) test-serving
	@$(MAKE) test-outside

lint: $(VENV)/.installed ## style, types and layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# One thread each: there are more processes than processors already. They give way to whatever else runs.
test-training: $(VENV)/.installed ## the tests that need TensorFlow
	TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 nice -n 19 $(VENV)/bin/python -m pytest -q $(DIVIDED) 3 -m training

test-serving: $(SERVING)/.installed ## the tests of everything else, where TensorFlow is not installed
	$(SERVING)/bin/python -m pytest -q $(DIVIDED) 4 -m "not training and not browser and not clients" --ignore=tests/training

test-clients: $(VENV)/.installed ## the protocols with clients that others wrote, each in an environment of its own
	$(VENV)/bin/python -m pytest -q $(DIVIDED) 2 -m clients tests/clients

test-browser: packages $(VENV)/.installed ## the page in a real Chromium
	$(VENV)/bin/python -m pytest -q $(DIVIDED) 2 -m browser tests/browser

test-outside: packages $(VENV)/.installed ## both of these side by side
	$(VENV)/bin/python -m pytest -q $(DIVIDED) 2 -m "clients or browser" tests/clients tests/browser

packages: ## Debian packages that the tests use: installed as root, named otherwise
	@tests/system_packages

docker-check: $(VENV)/.installed ## lint the Dockerfile
	$(VENV)/bin/hadolint Dockerfile

format: $(VENV)/.installed ## put the code into the house style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean: ## remove what was installed (models stay)
	rm -rf $(VENV) $(SERVING)

$(VENV)/.installed: pyproject.toml constraints.txt $(IN_C)
	$(call make_venv,$(VENV))
	$(call install,$(VENV),$(EVERYTHING))
	@touch $@

$(SERVING)/.installed: pyproject.toml constraints.txt $(IN_C)
	$(call make_venv,$(SERVING))
	$(call install,$(SERVING),dev)
	@touch $@

# Debian's python3 comes without ensurepip unless python3-venv is installed; pip can put itself into an environment as well.
define make_venv
	@test -x $(1)/bin/python || { echo "Installing into $(1)/: a few minutes the first time." >&2; \
		$(PYTHON) -m venv $(1) >/dev/null 2>&1 || \
		{ $(PYTHON) -m venv --clear --without-pip $(1) && $(PYTHON) -m pip --python $(1)/bin/python install --quiet pip; }; }
endef

# uv takes half the processor time of pip. It does not read pip's settings (a mirror, a certificate), so that pip goes on where it cannot.
define install
	@$(1)/bin/python $(PIP_INSTALL) uv
	@$(1)/bin/uv $(UV_INSTALL) --python $(1)/bin/python --editable '.[$(2)]' || \
		{ echo "uv could not install; pip tries." >&2; $(1)/bin/python $(PIP_INSTALL) --editable '.[$(2)]'; }
endef
