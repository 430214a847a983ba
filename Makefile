# make demo    a real model, a probe on every layer, and a report about it (makes .venv first)
# make test    the whole test suite
# make check   style, types, import rules, generated documentation
# make bench   speed and memory side by side with other libraries (makes their environments first)

PYTHON ?= python3
VENV   ?= .venv
# One exact version, so that a plain "torch" never pulls another build.
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check bench docs peers format clean

demo: $(VENV)/.package
	$(BIN)/sonde demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

bench: $(VENV)/.dev peers
	$(BIN)/python -m bench

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

# Other libraries need other versions of transformers, so each has an environment of its own.
peers: .venv-peers/.ready

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-peers runs

$(VENV)/.torch: tools/install_torch.py
	$(PYTHON) -c "import sys; sys.exit('sonde needs Python 3.11 or newer; set PYTHON=…') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/install_torch.py '$(TORCH)'
	touch $@

$(VENV)/.package: $(VENV)/.torch pyproject.toml
	$(PIP) install --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.package
	$(PIP) install --editable '.[dev]'
	touch $@

.venv-peers/.ready: tools/make_peers.py
	$(PYTHON) tools/make_peers.py .venv-peers '$(TORCH)'
	touch $@
