# Two commands do everything on a fresh Linux machine with Python >= 3.10:
#   make demo    a virtual cell inspects good and bad brackets
#   make test    the tests
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check nightly bench format lock clean

demo: $(READY)
	$(BIN)/voxgate demo

test: $(READY)
	$(BIN)/pytest -q

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q

nightly: $(READY)
	$(BIN)/pytest -q -m nightly --timeout 1800

bench: $(READY)
	$(BIN)/voxgate bench

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every version and hash is in the lock; the project itself is installed without looking for more.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
		--no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		--extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv out
