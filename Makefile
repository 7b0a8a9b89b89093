# make install   a virtual environment with gmoe and its development tools
# make train     the embedded comparison: ends with a table and a picture
# make test      the tests
# make lint      style, types, and which folder may import which
# make cuda      the fused ops for CUDA: needs nvcc, but no GPU
# make cuda-load those, built and loaded by a torch with CUDA: their kernels and
#                what a compiler is told of them: needs nvcc, but no GPU
# make sanitize  the ops under AddressSanitizer and UBSan: their tests, a fuzz
# make wheel     the wheel and the source archive, in dist
# Another torch, another folder:  make test TORCH=2.11.0 VENV=/tmp/venv
PYTHON ?= python3
VENV ?= .venv
TORCH ?= 2.13.0
BIN := $(VENV)/bin
STAMP := $(VENV)/.gmoe-$(TORCH)

# Tests on real data read its root from here and are skipped without it.
ifndef GMOE_DATA_ROOT
ifneq ($(wildcard ../shared/data),)
export GMOE_DATA_ROOT := $(abspath ../shared/data)
endif
endif

.PHONY: install train test lint cuda cuda-load sanitize docs wheel clean
install: $(STAMP)

# torch first: a dependency on plain torch would pull the CUDA build.
$(STAMP): setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "setuptools>=77"
	$(BIN)/python -m pip install -q torch==$(TORCH)
	$(BIN)/python -m pip install -q --no-build-isolation -e ".[dev]"
	touch $@

train: $(STAMP)
	$(BIN)/python -m benchmarks.hop_mixture

# Two processes of one thread each.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache --no-logo

cuda: $(STAMP)
	$(BIN)/python setup.py build_cuda --strict

cuda-load: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs tests/cuda/test_binary.py

# A build of its own, in build/sanitize; reports of faults are written there.
SANITIZED := $(abspath build/sanitize)
PRELOAD := $(foreach name,asan ubsan stdc++,$(shell $(CXX) -print-file-name=lib$(name).so))
sanitize: $(STAMP)
	rm -rf $(SANITIZED)/report.*
	GMOE_SANITIZE=1 $(BIN)/python setup.py build_ext \
	    --build-lib $(SANITIZED) --build-temp $(SANITIZED)/objects
	export LD_PRELOAD="$(PRELOAD)" OMP_NUM_THREADS=1 \
	    GMOE_LIBRARIES=$(SANITIZED)/gmoe \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:log_path=$(SANITIZED)/report \
	    UBSAN_OPTIONS=print_stacktrace=1:log_path=$(SANITIZED)/report; \
	$(BIN)/python -c "from gmoe.ops import AVAILABLE; assert AVAILABLE" && \
	$(BIN)/python -m pytest -q tests/ops -k "not binary" && \
	$(BIN)/python -m benchmarks.reliability.fuzz_ops --calls 5000 --results $(SANITIZED)

docs: $(STAMP)
	$(BIN)/python -m pip install -q -e ".[docs]"
	$(BIN)/python -m sphinx -W -b html docs docs/_build/html

wheel: $(STAMP)
	$(BIN)/python -m tools.wheel

clean:
	rm -rf build dist *.egg-info docs/_build .pytest_cache .mypy_cache
