"""On real hardware: `make test-gpu` on a machine with an NVIDIA GPU. Elsewhere every test skips.

Nothing here is faked: the driver, TensorRT, the kernels and the recipe are the real ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tests.kits import tiny
from tests.kits.nets import SAMPLES, SHAPE, small_net
from tests.kits.repository import BRACKET
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.build import build_recipe
from voxgate.runtime.engines.builder import BuildOptions, cards
from voxgate.runtime.engines.engine import Tensor, open_engine, score_map
from voxgate.runtime.engines.gpu_memory import ModelMemory
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.engines.tensorrt_module import TensorRTMissing, installed, load_tensorrt
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.gpu.device import LIBRARIES, Device, open_device
from voxgate.runtime.gpu.kernel_compiler import compile_cubin
from voxgate.runtime.gpu.launch import SOURCE, source
from voxgate.runtime.gpu.pinned_ring import PinnedRing
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, View
from voxgate.runtime.plans.flavour import FLAVOURS, RTX, Name, flavour_of
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.volume import Volume

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

REQUIRED = "VOXGATE_GPU"
"""Set to `required` by `make test-gpu`: then a missing GPU is a failure."""
PARTS = 20


def without(what: str, why: object) -> None:
    """Skip, or fail where a GPU must be."""
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{what}: {why}")
    pytest.skip(f"{what}: {why}")


@pytest.fixture(params=LIBRARIES)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A GPU through each library that is here."""
    try:
        opened = open_device(library=request.param)
    except EngineError as error:
        if "no CUDA binding is installed" in str(error) or "is newer than" in str(error):
            pytest.skip(str(error))
        without("no NVIDIA GPU is here", error)
    with closing(opened):
        yield opened


@pytest.fixture(params=FLAVOURS)
def tensorrt(request: pytest.FixtureRequest) -> Any:
    """Each TensorRT that is here and knows this card; RTX knows none of a data centre."""
    try:
        opened = open_device()
        sm = opened.info.sm
        opened.close()
        module = load_tensorrt(request.param)
    except TensorRTMissing as error:
        if any(installed(name) for name in FLAVOURS):
            pytest.skip(str(error))
        without("no TensorRT is here", error)
    except EngineError as error:
        without("no NVIDIA GPU is here", error)
    if request.param == RTX and sm not in cards(module):
        pytest.skip(f"TensorRT for RTX builds nothing for sm_{sm}")
    return module


def build(recipe: Recipe, plans: PlanCache, tensorrt: Any) -> Name:
    """Returns the backend that serves it."""
    flavour = flavour_of(tensorrt).name
    build_recipe(*(recipe, plans, BuildOptions(), lambda phase, step, steps: None), True, flavour)
    return flavour


# --- without TensorRT ----------------------------------------------------------------------------


def test_bytes_come_back_as_they_went(device: Device) -> None:
    ring, address = PinnedRing(device, 1 << 20), device.allocate(1 << 20)
    back = device.pinned(1 << 20)
    sent = np.random.default_rng(0).integers(0, 256, 1 << 20, dtype=np.uint8)
    ring.upload(address, sent)
    device.download(back.array, address)
    device.synchronize()
    np.testing.assert_array_equal(back.array, sent)
    assert address % 256 == 0
    ring.forget()


class NoEngine:
    """A device without a model."""

    inputs: tuple[TensorSpec, ...] = ()
    memory = ModelMemory(0, 0)

    def __init__(self, device: Device) -> None:
        self.device = device
        self.kernels = compile_cubin(source(), SOURCE, device.info.sm)

    def enqueue(self, inputs: dict[str, Tensor], staging: PinnedRing) -> None:
        raise NotImplementedError

    def address_of(self, tensor: str) -> int | None:
        return None


@pytest.mark.parametrize("sparse", [False, True])
def test_the_gpu_fuses_the_cpus_bits(device: Device, sparse: bool) -> None:
    scan = open_scan(BRACKET / "good")
    rays = Rays.from_calibration(scan.calibration)
    volume = Volume(GridSpec((-100.0, -80.0, 0.0), (200, 160, 100), 1.0), 3.0, sparse=sparse)
    DeviceFusion.proven(NoEngine(device), volume, rays, True, 12, Crew(2), Stopwatch(lambda: 0))


def test_a_device_opens_again_after_it_was_closed(device: Device) -> None:
    library = device.library.split(" ")[0]
    device.close()
    for _ in range(3):
        again = open_device(library=library)
        again.allocate(1 << 20)
        again.synchronize()
        again.close()


def test_a_context_of_pycuda_autoinit_is_named(device: Device) -> None:
    device.close()
    driver = pytest.importorskip("pycuda.driver", reason="pycuda is not installed")
    driver.init()
    foreign = driver.Device(0).make_context()
    try:
        with pytest.raises(EngineError, match=r"pycuda\.autoinit"):
            open_device()
    finally:
        foreign.pop()
        foreign.detach()


# --- with TensorRT -------------------------------------------------------------------------------


def test_a_plan_is_built_proven_and_served(tensorrt: Any, tmp_path: Path) -> None:
    write_recipe(tmp_path / "r" / "tiny" / "1", tiny.parts())
    recipe = Recipe.load(tmp_path / "r" / "tiny" / "1")
    plans = PlanCache(tmp_path / "plans")
    backend = build(recipe, plans, tensorrt)
    engine = open_engine(recipe, backend, plans=plans)
    with closing(engine):
        assert engine.backend == f"{backend}-{tensorrt.__version__}"
        assert isinstance(engine, TensorRTEngine)
        for seed in range(50):
            probe = tiny.probe(seed)
            assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < 1e-5
        if engine.device.recording() is not None:
            assert engine.uses_graph


PRECISIONS: dict[str, tuple[Callable[[onnx.ModelProto], onnx.ModelProto], float]] = {
    "fp32": (lambda model: model, 1e-3),
    "fp16": (lambda model: to_half(model, samples=SAMPLES), 2e-2),
    "int8": (lambda model: quantized(model, SAMPLES), 5e-2),
}
"""How a graph gets its precision, and by how much of the threshold its scores may differ then."""


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_convolutional_model_gives_the_cpus_scores(
    tensorrt: Any, tmp_path: Path, precision: str
) -> None:
    change, tolerance = PRECISIONS[precision]
    model = change(small_net())
    (output,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Identity", [output.name], ["score"]))
    output.name = "score"
    inputs: dict[str, Any] = dict(SAMPLES[0])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    score = np.asarray(session.run(None, inputs)[0])
    shape = tuple(SHAPE)
    parts = tiny.parts(
        manifest=tiny.manifest(
            precision=precision,
            inputs=(TensorSpec(name="image", dtype="uint8", shape=shape),),
            output=TensorSpec(name="score", dtype="float32", shape=shape),
            probe_tolerance=tolerance,
        ),
        model=model.SerializeToString(),
        probes=(Probe(inputs, score[0, 0]),),
    )
    write_recipe(tmp_path / "r" / "net" / "1", parts)
    build(Recipe.load(tmp_path / "r" / "net" / "1"), PlanCache(tmp_path / "plans"), tensorrt)


@pytest.mark.slow
def test_whole_parts_get_the_cpus_verdict(
    tensorrt: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe = Recipe.load(request.getfixturevalue("bracket_recipe"))  # exported if there is a GPU
    plans = PlanCache(tmp_path / "plans")
    by = build(recipe, plans, tensorrt)
    for name, outcome in (("good", Outcome.PASS), ("bad", Outcome.FAIL)):
        scan = open_scan(BRACKET / name)
        views = [v for v in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
        verdicts = {}
        for backend in ("onnxruntime-cpu", by):
            opened = Inspector.open(recipe, scan.calibration, Limits(), backend, plans=plans)
            with closing(opened) as inspector:
                for _ in range(PARTS if backend == by else 1):
                    inspector.start()
                    for view in views:
                        inspector.add(view)
                    verdicts[backend] = inspector.finish()
                    assert verdicts[backend].outcome is outcome
        cpu, gpu = verdicts["onnxruntime-cpu"], verdicts[by]
        assert gpu.score == pytest.approx(cpu.score, abs=recipe.manifest.probe_tolerance)
        assert gpu.coverage == cpu.coverage
        assert len(gpu.defects) == len(cpu.defects)
