# Two commands do everything on a fresh Linux machine with Python >= 3.10:
#   make demo    a virtual cell inspects good and bad brackets
#   make test    the tests
# While one writes: make quick
# The exporters of trained models need a workstation's libraries, several GB, in a place of their own:
#   make test-export

# Compiled once, not again by each of the hundreds of processes that tests start
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXPORT_BIN := .venv-export/bin
EXPORT_READY := .venv-export/.ready
EXPORT_TESTS := tests/methods
# OpenCV 4 has the hand-eye methods that ours is held against, and is a version we promise to run on
KERNELS := $(VENV)/.kernels
OPENCV4_BIN := .venv-opencv4/bin
OPENCV4_READY := .venv-opencv4/.ready
OPENCV4_TESTS := tests/opencv4

DOCS_BIN := .venv-docs/bin
DOCS_READY := .venv-docs/.ready

TENSORRT_BIN := .venv-tensorrt/bin
TENSORRT_READY := .venv-tensorrt/.ready
# of each TensorRT proper that is served: its Python module, whose libraries come from NVIDIA alone
TENSORRT_BINDINGS := $(wildcard tests/tensorrt/bindings/*.lock)

SBOM_BIN := .venv-sbom/bin
SBOM_READY := .venv-sbom/.ready
RELEASE := out/release

VIEWERS_BIN := .venv-viewers/bin
VIEWERS_READY := .venv-viewers/.ready

GPU_BIN := .venv-gpu/bin
GPU_READY := .venv-gpu/.ready

.PHONY: demo test real-time computing quick quick-tests pure style types test-export test-opencv4 test-viewers test-tensorrt test-gpu check \
	nightly night night-long night-whole night-properties night-soak night-export night-opencv4 night-viewers \
	bench bench-export bench-opencv4 bench-gpu docs release deb wheelhouse format lock audit clean

# What runs in real time and mostly waits; beside it, out of its way, what computes, a process for
# each of two cores. A file stays in one process: what its tests share is made once. Where every
# core has its process, a second thread of the linear algebra only takes turns with the first.
REAL_TIME := tests/line tests/box
COMPUTE := env OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile
# Where single tests take long, whoever is done takes from the other; PyTorch has threads of its own
ONE_THREAD := env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# Rooms without sockets, processes and clocks
PURE := tests/house tests/calib/numerics tests/export/quality $(wildcard tests/runtime/test_*.py) \
	$(addprefix tests/runtime/,comparison config fusion geometry inspection pixels recipe scenes sync trays volume)

demo: $(KERNELS)
	$(BIN)/voxgate demo

test: $(KERNELS)
	@$(MAKE) --no-print-directory -j 2 -Oline real-time computing

real-time: $(KERNELS)
	$(BIN)/pytest -q -n 3 --dist loadfile $(REAL_TIME)

computing: $(KERNELS)
	nice -n 5 $(COMPUTE) $(REAL_TIME:%=--ignore=%)

test-export: $(EXPORT_READY)
	$(ONE_THREAD) $(EXPORT_BIN)/pytest -q -n 2 --dist worksteal $(EXPORT_TESTS)

test-opencv4: $(OPENCV4_READY)
	$(ONE_THREAD) $(OPENCV4_BIN)/pytest -q -n 2 --dist worksteal $(OPENCV4_TESTS) tests/calib/board tests/calib/numerics \
		tests/calib/lens
# Whether the usual viewers draw what is recorded; Rerun wants Python 3.11
test-viewers: $(READY) $(VIEWERS_READY)
	test -x $(VIEWERS_BIN)/rerun
	PATH="$(CURDIR)/$(VIEWERS_BIN):$$PATH" $(BIN)/pytest -q tests/runtime/scans -k another_viewer

# What needs TensorRT but no GPU: the real builder of TensorRT for RTX, and the names of the others
test-tensorrt: $(TENSORRT_READY)
	$(ONE_THREAD) $(TENSORRT_BIN)/pytest -q -n 2 --dist worksteal tests/tensorrt

# On a machine with an NVIDIA GPU, e.g. a Jetson: TensorRT comes from its packages, pycuda is built
# against its CUDA. Where there is no GPU this fails instead of skipping.
test-gpu: $(GPU_READY)
	VOXGATE_GPU=required $(GPU_BIN)/pytest -q -m gpu

bench-gpu: $(GPU_READY)
	$(GPU_BIN)/voxgate bench gpu

# While one writes: the style, the types, the contracts and the pure rooms, side by side
quick: $(READY)
	@$(MAKE) --no-print-directory -j 2 -O types quick-tests

quick-tests: style pure

# On another Python: .ci/pythons
pure: $(KERNELS)
	$(COMPUTE) -m "not slow and not nightly" $(PURE)

style: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

check: style types test

# What by day is inspected at a quarter of its size, as it is
WHOLE := fusion/test_device.py fusion/test_whole.py geometry/test_drift.py \
	inspection/test_inspector.py inspection/test_witnesses.py offline/test_inspect_scan.py

# Each by itself, for who has no room for all environments at once: `.ci/nightly`; all, whatever fails: make -k nightly
nightly: night night-export night-opencv4 night-viewers

night: night-long night-whole night-properties night-soak

night-long: $(KERNELS) $(SBOM_READY)
	$(BIN)/pytest -q -m nightly --timeout 1800

night-whole: $(KERNELS)
	VOXGATE_PICTURES=whole $(BIN)/pytest -q -n 2 --dist loadfile $(WHOLE:%=tests/runtime/%) tests/line/cell/test_line.py

night-properties: $(KERNELS)
	VOXGATE_EXAMPLES=many $(BIN)/pytest -q -m "hypothesis and not nightly" --timeout 1800

night-soak: $(KERNELS)
	$(BIN)/voxgate bench soak

night-export: $(EXPORT_READY)
	$(EXPORT_BIN)/pytest -q -m nightly --timeout 1800 $(EXPORT_TESTS)

night-opencv4: $(OPENCV4_READY)
	$(OPENCV4_BIN)/pytest -q -m nightly --timeout 1800 $(OPENCV4_TESTS)

night-viewers: test-viewers

bench: $(READY)
	$(BIN)/voxgate bench

bench-export: $(EXPORT_READY)
	$(EXPORT_BIN)/voxgate bench exporters published last_view learnt knn fpfh

bench-opencv4: $(OPENCV4_READY)
	$(OPENCV4_BIN)/voxgate bench handeye_methods rendered

# The pages, links checked: out/docs/index.html
docs: $(READY) $(DOCS_READY)
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(DOCS_BIN)/mkdocs build --strict --quiet

# For a box without a package index, packed on any machine: make wheelhouse FOR=aarch64 PY=3.10
FOR ?= $(shell uname -m)
PY ?= 3.11
WITH ?= rtx
wheelhouse: $(READY)
	.ci/wheelhouse requirements-$(WITH).lock $(PY) $(FOR) out/wheelhouse-$(WITH)-$(FOR)-py$(PY)

# The same as a package of Debian 12; Ubuntu 22.04 on a Jetson: make deb FOR=aarch64 PY=3.10
deb: $(READY) $(SBOM_READY)
	packaging/deb/build requirements-box.lock $(PY) $(FOR) out/deb

# What goes to a box: the wheel, its lock, the installer, what it is made of (CycloneDX), their sums
release: $(READY) $(SBOM_READY)
	rm -rf $(RELEASE)
	$(BIN)/python -m hatchling build -t wheel -d $(RELEASE)
	cp -r requirements-box.lock requirements-rtx.lock systemd $(RELEASE)
	$(SBOM_BIN)/python .ci/sbom.py requirements-box.lock \
		"$$($(BIN)/python -c 'import voxgate; print(voxgate.__version__)')" > $(RELEASE)/voxgate.cdx.json
	cd $(RELEASE) && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum > SHA256SUMS

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The page builder alone: nothing of it is in the product's environment
$(DOCS_READY): requirements-docs.lock
	$(PYTHON) -m venv .venv-docs
	$(DOCS_BIN)/python -m pip install --quiet --require-hashes -r requirements-docs.lock
	touch $@

$(SBOM_READY): requirements-sbom.lock
	$(PYTHON) -m venv .venv-sbom
	$(SBOM_BIN)/python -m pip install --quiet --require-hashes -r requirements-sbom.lock
	touch $@

$(VIEWERS_READY): requirements-viewers.lock
	$(PYTHON) -m venv .venv-viewers
	$(VIEWERS_BIN)/python -m pip install --quiet --require-hashes -r requirements-viewers.lock
	touch $@

# Every version and hash is in the lock; the project itself is installed without looking for more.
$(READY): requirements.lock pyproject.toml
	$(call install,$(VENV),requirements.lock)

# Compiled once, before processes that start side by side would each do it
$(KERNELS): $(READY) $(shell find runtime export -name '*_kernels.py')
	$(BIN)/python -m voxgate.runtime.inspection.warm_up 1 & half=$$!; \
		$(BIN)/python -m voxgate.runtime.inspection.warm_up 2 && wait $$half
	touch $@

$(EXPORT_READY): requirements-export.lock pyproject.toml
	$(call install,.venv-export,requirements-export.lock)

$(OPENCV4_READY): requirements-opencv4.lock pyproject.toml
	$(call install,.venv-opencv4,requirements-opencv4.lock)

$(TENSORRT_READY): requirements.lock requirements-rtx.lock pyproject.toml $(TENSORRT_BINDINGS)
	$(call install,.venv-tensorrt,requirements.lock -r requirements-rtx.lock)
	for lock in $(TENSORRT_BINDINGS); do \
		.venv-tensorrt/bin/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: --upgrade \
		--target .venv-tensorrt/bindings/$$(basename $$lock .lock) -r $$lock || echo "$$lock: not for this Python"; done

define install
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --require-hashes -r $(2)
	$(1)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
endef

$(GPU_READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --system-site-packages .venv-gpu
	$(GPU_BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(GPU_BIN)/python -m pip install --quiet "pycuda>=2024.1.2"
	$(GPU_BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	$(call resolve,pyproject.toml --extra dev --extra dev-gpu,requirements.lock)
	$(call resolve,pyproject.toml --extra dev --extra export --extra dev-export --extra plans,requirements-export.lock)
	echo 'opencv-python-headless<5' > .venv/lock/opencv4.txt
	$(call resolve,pyproject.toml --extra dev --constraint .venv/lock/opencv4.txt,\
		requirements-opencv4.lock)
	$(call resolve,pyproject.toml --group build --extra opcua --constraint requirements.lock,\
		requirements-box.lock)
	$(call resolve,pyproject.toml --group build --extra opcua --extra rtx --constraint requirements.lock,\
		requirements-rtx.lock)
	$(call resolve,--group docs,requirements-docs.lock)
	$(call resolve,--group sbom,requirements-sbom.lock)
	$(call resolve,--group viewers,requirements-viewers.lock)

define resolve
	.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
		--no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		$(1) -o $(2)
endef

# Known vulnerabilities and withdrawn releases among what the box installs
audit: $(READY)
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --upgrade pip pip-audit
	.venv/audit/bin/python .ci/audit.py requirements.lock

clean:
	rm -rf .venv .venv-3.* .venv-export .venv-opencv4 .venv-gpu .venv-docs .venv-viewers .venv-sbom .venv-tensorrt out
