"""Every name of TensorRT, pycuda and cuda-python that the adapter touches exists in the real thing.

Two ways, for each sees what the other cannot: the adapter's source is read, line by line, also what
no test runs; and the names it touches while it runs on the fakes are recorded.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.fake_tensorrt import FACTS, FACTS_FOLDER, VERSIONS, names_of
from tests.kits.repository import ROOT
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe

RUNTIME = ROOT / "runtime"
TENSORRT_FILES = (
    "engines/builder.py",
    "engines/dla.py",
    "engines/tensorrt_engine.py",
    "engines/tensorrt_module.py",
)
# how the adapter names what TensorRT made -> its class; the test below fails for a name not listed
HOLDS = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "config": "IBuilderConfig",
    "cache": "ITimingCache",
    "layer": "ILayer",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "_context": "IExecutionContext",
    "_runtime": "Runtime",
    "runtime": "Runtime",
    "_config": "IRuntimeConfig",
    "_cache": "IRuntimeCache",
}
MADE_BY = {"get_output": "ITensor"}
ALIASES = {"flag": {"builder._network": "NetworkDefinitionCreationFlag",
                    "builder._pin_types": "BuilderFlag"},
           "severity": {"tensorrt_module.logger_of": "ILogger.Severity"}}  # fmt: skip
# names that not every version has, and the condition in the code that keeps the others from them
GATES = {
    ("NetworkDefinitionCreationFlag", "EXPLICIT_BATCH"): ("8.6",),  # major < 10
    ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"): ("10.3", "10.13"),  # major == 10, no DLA
    ("module", "IProgressMonitor"): ("10.3", "10.13", "11.4", "rtx-1.7"),  # hasattr
    ("IProgressMonitor", "__init__"): ("10.3", "10.13", "11.4", "rtx-1.7"),
    ("IBuilderConfig", "progress_monitor"): ("10.3", "10.13", "11.4", "rtx-1.7"),
    ("module", "ComputeCapability"): ("rtx-1.7",),  # the flavour is asked
    ("module", "CudaGraphStrategy"): ("rtx-1.7",),
    ("CudaGraphStrategy", "DISABLED"): ("rtx-1.7",),
    ("ICudaEngine", "create_runtime_config"): ("rtx-1.7",),
    ("IRuntimeConfig", "cuda_graph_strategy"): ("rtx-1.7",),
    ("IRuntimeConfig", "create_runtime_cache"): ("rtx-1.7",),
    ("IRuntimeConfig", "set_runtime_cache"): ("rtx-1.7",),
    ("IRuntimeCache", "deserialize"): ("rtx-1.7",),
    ("IRuntimeCache", "serialize"): ("rtx-1.7",),
    ("ICudaEngine", "device_memory_size"): ("8.6",),  # before 10.1
    ("ICudaEngine", "device_memory_size_v2"): ("10.3", "10.13", "11.4", "rtx-1.7"),
    ("IBuilderConfig", "num_compute_capabilities"): ("rtx-1.7",),
    ("IBuilderConfig", "set_compute_capability"): ("rtx-1.7",),
    ("BuilderFlag", "FP16"): ("8.6",),  # not strongly typed
    ("BuilderFlag", "INT8"): ("8.6",),
    ("BuilderFlag", "OBEY_PRECISION_CONSTRAINTS"): ("8.6",),
    ("ILayer", "precision"): ("8.6",),
    ("ILayer", "set_output_type"): ("8.6",),
}


def exists(version: str, cls: str, name: str) -> bool:
    """Whether a version of TensorRT has it."""
    if cls == "module" and name in FACTS["classes"]:
        return version in FACTS["classes"][name]["in"]
    return name in names_of(version, cls)


class Touched(ast.NodeVisitor):
    """(class, name) of every attribute that a file touches on the module or on what it made."""

    def __init__(self, file: str) -> None:
        self._file = Path(file).stem
        self._function = ""
        self.found: set[tuple[str, str]] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self._function = self._function, self._function or f"{self._file}.{node.name}"
        self.generic_visit(node)
        self._function = before

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        holder = self._class_of(node.value)
        if holder is not None:
            self.found.add((holder, node.attr))

    def _class_of(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            if node.id == "tensorrt":
                return "module"
            alias = ALIASES.get(node.id, {}).get(self._function)
            return alias or HOLDS.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return MADE_BY.get(node.func.attr)
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                return HOLDS.get(node.attr)
            inner = self._class_of(node.value)
            if inner == "module" and node.attr in FACTS["classes"]:
                return node.attr
            if inner is not None and f"{inner}.{node.attr}" in FACTS["classes"]:
                return f"{inner}.{node.attr}"
        return None


def touched(file: str) -> set[tuple[str, str]]:
    visitor = Touched(file)
    visitor.visit(ast.parse((RUNTIME / file).read_text(encoding="utf-8")))
    return visitor.found


def _in_every_file() -> Iterator[tuple[str, str, str]]:
    for file in TENSORRT_FILES:
        for cls, name in sorted(touched(file)):
            yield file, cls, name


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_in_the_source_exists_in(version: str) -> None:
    missing = [
        f"{file}: {cls}.{name}"
        for file, cls, name in _in_every_file()
        if version in GATES.get((cls, name), VERSIONS) and not exists(version, cls, name)
    ]
    assert not missing


def test_the_source_is_really_read() -> None:
    found = {(cls, name) for _, cls, name in _in_every_file()}
    assert len(found) > 45
    assert {
        ("IExecutionContext", "execute_async_v3"),
        ("ICudaEngine", "get_tensor_dtype"),
        ("Runtime", "deserialize_cuda_engine"),
        ("BuilderFlag", "TF32"),
        ("DataType", "UINT8"),
        ("ILogger.Severity", "WARNING"),
        ("IBuilderConfig", "set_timing_cache"),
    } <= found


def test_every_gate_is_needed_and_names_only_versions_that_have_it() -> None:
    found = {(cls, name) for _, cls, name in _in_every_file()}
    for (cls, name), versions in GATES.items():
        assert (cls, name) in found, f"{cls}.{name} is not used any more"
        assert all(exists(version, cls, name) for version in versions)
    needed = {g for g in found if not all(exists(version, *g) for version in VERSIONS)}
    assert needed == {gate for gate in GATES if gate in needed}


def test_no_enum_of_tensorrt_is_stored_as_a_number() -> None:
    """Their integers move between versions: a literal where an enum belongs is a wrong flag."""
    for file in TENSORRT_FILES:
        text = (RUNTIME / file).read_text(encoding="utf-8")
        for call in ("set_flag(", "clear_flag(", "set_memory_pool_limit("):
            for piece in text.split(call)[1:]:
                assert not piece[0].isdigit(), f"{file}: {call}{piece[:20]}"


def half_model() -> bytes:
    """The tiny model with one tensor in FP16."""
    model = onnx.load_from_string(tiny.difference_model())
    last = model.graph.node[-1]
    half = onnx.helper.make_node("Cast", [last.input[0]], ["half"], to=onnx.TensorProto.FLOAT16)
    last.input[0] = "half"
    model.graph.node.insert(len(model.graph.node) - 1, half)
    return bytes(model.SerializeToString())


PRECISIONS = {"fp32": tiny.difference_model, "fp16": half_model, "int8": tiny.difference_model}


def recipe_of(precision: str, tmp_path: Path) -> Recipe:
    manifest = tiny.manifest(precision=precision)
    model = PRECISIONS[precision]()
    write_recipe(tmp_path / "r" / "tiny" / "1", tiny.parts(manifest=manifest, model=model))
    return Recipe.load(tmp_path / "r" / "tiny" / "1")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_name_touched_while_running_exists_in(
    version: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake raises for any other; this also says that the run touched what it should."""
    box = gpu_kit.install(monkeypatch, version)
    recipe, plans = recipe_of(precision, tmp_path), PlanCache(tmp_path / "plans")
    gpu_kit.build(recipe, plans, flavour=box.tensorrt.backend)
    open_engine(recipe, box.tensorrt.backend, plans=plans).close()
    used = box.tensorrt.touched
    unreal = [(cls, name) for cls, name in used if not exists(version, cls, name)]
    assert not unreal
    assert ("IExecutionContext", "execute_async_v3") in used
    flags = box.tensorrt.built_with["flags"]
    weak = version == "8.6"
    assert ("FP16" in flags) == ("OBEY_PRECISION_CONSTRAINTS" in flags)
    assert ("FP16" in flags) == (weak and precision == "fp16")
    assert ("INT8" in flags) == (weak and precision == "int8")


def test_on_8_6_what_the_graph_keeps_in_fp32_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = gpu_kit.install(monkeypatch, "8.6")
    gpu_kit.build(recipe_of("fp16", tmp_path), PlanCache(tmp_path / "plans"))
    dtype = box.tensorrt.module.DataType
    kinds = [layer.get_output(0).dtype for layer in box.tensorrt.layers]
    assert {dtype.FLOAT, dtype.HALF} == set(kinds)
    for layer, kind in zip(box.tensorrt.layers, kinds, strict=True):
        assert layer._fake_pinned == ([dtype.FLOAT] if kind == dtype.FLOAT else [])


def test_a_name_of_another_version_fails_on_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    box = gpu_kit.install(monkeypatch, "11.4")
    with pytest.raises(AttributeError):
        _ = box.tensorrt.module.BuilderFlag.FP16
    with pytest.raises(AttributeError):
        _ = box.tensorrt.module.NetworkDefinitionCreationFlag.EXPLICIT_BATCH
    with pytest.raises(AttributeError):
        _ = gpu_kit.install(monkeypatch, "8.6").tensorrt.module.IProgressMonitor


# --- the CUDA bindings ---------------------------------------------------------------------------


def _attributes(file: str, root: str) -> set[tuple[str, ...]]:
    """Dotted names below `root`: ("Context", "pop")."""
    found = set()
    for node in ast.walk(ast.parse((RUNTIME / file).read_text(encoding="utf-8"))):
        chain: list[str] = []
        here: ast.expr | ast.AST = node
        while isinstance(here, ast.Attribute):
            chain.insert(0, here.attr)
            here = here.value
        if isinstance(here, ast.Name) and here.id == root and chain:
            found.add(tuple(chain))
    return found


PYCUDA_HOLDS = {
    "device": "Device",
    "context": "Context",
    "_context": "Context",
    "_stream": "Stream",
    "event": "Event",
    "module": "Module",
    "memory": "PagelockedHostAllocation",
    "attribute": "device_attribute",
}


def test_every_name_of_pycuda_exists_in_the_real_one() -> None:
    names = json.loads((FACTS_FOLDER / "pycuda_names.json").read_text("utf-8"))
    used = _attributes("gpu/with_pycuda.py", "driver")
    assert len(used) > 15
    for chain in used:
        assert chain[0] in names["module"], chain
        if len(chain) > 1:
            assert chain[1] in names["classes"][chain[0]], chain
    checked = 0
    for name, cls in PYCUDA_HOLDS.items():
        for chain in _attributes("gpu/with_pycuda.py", name):
            assert chain[0] in names["classes"][cls], (cls, chain)
            checked += 1
    assert checked > 8


def test_every_name_of_cuda_python_exists_in_the_real_one() -> None:
    driver = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is for Linux")
    used = _attributes("gpu/with_cuda_python.py", "driver")
    assert len(used) > 40
    for chain in used:
        here = driver
        for name in chain:
            assert hasattr(here, name), chain
            here = getattr(here, name)
    text = (RUNTIME / "gpu/with_cuda_python.py").read_text(encoding="utf-8")
    for name in ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "INTEGRATED"):
        assert f'"{name}"' in text
        assert hasattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
    assert hasattr(driver.CUdevice_attribute, "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT")


def test_no_call_of_cuda_python_goes_unchecked() -> None:
    """A tuple whose status nobody reads is a failure nobody sees."""
    tree = ast.parse((RUNTIME / "gpu/with_cuda_python.py").read_text(encoding="utf-8"))
    unchecked = [
        ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("driver.")
    ]
    giving_back = ("Destroy(", "cuMemFree(", "cuMemFreeHost(", "cuModuleUnload(")
    assert all(any(word in call for word in giving_back) for call in unchecked), unchecked
