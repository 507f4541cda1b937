# make demo · make test · make lint · make bench: each makes .venv first; nothing else on the machine is touched.
# PYTHON=python3.12 picks the interpreter, ARGS="…" goes to the command behind demo, test and bench.
# TORCH="…" is what pip is asked for where a test or benchmark needs torch; TORCH= leaves it out, and skips those tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TORCH ?= torch==2.13.0
HF := $(VENV)/.hf

# Of practicum/arena, what computes: with core and measures the part where an uncovered branch is an error.
comma := ,
empty :=
STATISTICS := $(subst $(empty) $(empty),$(comma),$(foreach module,table identification luce sandwich bootstrap rating covariates elo \
	counting ranking judge_card combine orders verdict,*/practicum/arena/$(module).py))

.PHONY: demo test lint bench e2e circle factory requirements clean

demo: $(INSTALLED)
	@$(BIN)/practicum demo $(ARGS)

# Pytest's closing line stays the last one: the gate behind it speaks only when it fails.
test: $(if $(TORCH),$(HF),$(INSTALLED))
	$(BIN)/practicum models pull smollm2-135m --yes
	$(BIN)/python -m pytest --cov $(ARGS)
	@$(BIN)/coverage report --include='*/practicum/core/*,*/practicum/measures/*,$(STATISTICS)' --fail-under=100 >$(VENV)/pure-coverage.txt \
		|| { cat $(VENV)/pure-coverage.txt; echo 'core, measures and the statistics of arena: every branch must be covered'; exit 1; }

lint: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(INSTALLED)
	@command -v $${CC:-cc} >/dev/null || { echo 'make bench: no C compiler for the fake model server; on Debian: apt-get install gcc libc6-dev'; exit 1; }
	$(BIN)/python -m benchmarks $(ARGS)

# Real weights through transformers: minutes, and downloads; its output is kept in benchmarks/.
e2e: $(HF)
	$(BIN)/practicum models pull qwen2.5-coder-0.5b --yes
	$(BIN)/python -m benchmarks.real_weights $(ARGS)

# Simulate, curate, train, serve, arena, once around: up to an hour on two cores; its output is kept in benchmarks/.
circle: $(HF)
	$(BIN)/python -m benchmarks.circle $(ARGS)

# LLaMA-Factory reads our export, in an environment of its own: 2 GB. Its torchvision and torchaudio do not fit a CPU build, and are not needed.
factory: $(HF)
	$(PYTHON) -m venv build/factory
	build/factory/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH) llamafactory==0.9.5
	build/factory/bin/python -m pip uninstall --quiet --yes torchvision torchaudio
	touch "$$(build/factory/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torchaudio.py"
	$(BIN)/python -m benchmarks.factory_load build/factory/bin/python

$(INSTALLED): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'make: $(PYTHON) was not found; on Debian: apt-get install python3 python3-venv'; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("make: $(PYTHON) is Python %d.%d, 3.11 or newer is needed: make PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo 'make: $(PYTHON) cannot make environments; on Debian: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# torch is not among the pins: whether it is built for a CPU or a GPU is the machine's business.
$(HF): $(INSTALLED) requirements-hf.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-hf.txt
	@touch $@

# Newest releases that pyproject.toml admits, for every platform; see docs/adr/0001. The one step that asks for more than the pins.
requirements:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet uv
	build/uv/bin/uv pip compile --quiet pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --no-strip-extras --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make requirements' --output-file requirements.txt
	echo "torch ; sys_platform == 'never'" > build/without-torch.txt
	build/uv/bin/uv pip compile --quiet pyproject.toml --extra hf --extra train --override build/without-torch.txt --no-emit-package torch --universal --python-version 3.11 --constraint requirements.txt \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make requirements' \
		--output-file requirements-hf.txt

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
