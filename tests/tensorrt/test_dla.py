"""A DLA asked of the real builder, which has none: refused by name, before a plan is made.

It is the builder of TensorRT 11, whose DLA takes FP16 and INT8 as the graph has them: under that
name it is asked for its cores and for each layer, by the calls that a Jetson's is asked with.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import onnx
import pytest
import tensorrt_rtx_bindings as trt

from tests.kits.nets import SAMPLES, small_net
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.runtime.engines import dla
from voxgate.runtime.engines.builder import BuildOptions, build
from voxgate.runtime.engines.tensorrt_module import logger_of
from voxgate.runtime.errors import EngineError

GRAPHS = {
    "fp16": lambda: to_half(small_net(), samples=SAMPLES),
    "int8": lambda: quantized(small_net(), SAMPLES),
}


@pytest.fixture(scope="module")
def jetson() -> ModuleType:
    """The real module as TensorRT proper: another by its name and version alone."""
    module = ModuleType("tensorrt")
    module.__dict__.update({name: getattr(trt, name) for name in dir(trt) if name[:2] != "__"})
    module.__dict__["__version__"] = "11.4.1"
    return module


@pytest.fixture(params=GRAPHS)
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(precision: str) -> onnx.ModelProto:
    return GRAPHS[precision]()


def test_rtx_is_asked_for_a_dla(precision: str, model: onnx.ModelProto) -> None:
    with pytest.raises(EngineError, match=r"TensorRT for RTX \S+ has no DLA, .* without --dla"):
        build(trt, model.SerializeToString(), precision, BuildOptions(dla_core=0), sm=86)


def test_a_plan_is_built_for_a_core_that_is_not_there(
    jetson: ModuleType, precision: str, model: onnx.ModelProto
) -> None:
    with pytest.raises(EngineError, match=r"no DLA core 0: TensorRT 11\.4\.1 finds none here"):
        build(jetson, model.SerializeToString(), precision, BuildOptions(dla_core=0))


def test_a_plan_of_which_nothing_runs_on_the_dla_is_built(
    jetson: ModuleType, model: onnx.ModelProto
) -> None:
    """Each layer is asked for: quantised ones, and those that quantise."""
    logger, _ = logger_of(trt)
    builder = trt.Builder(logger)
    network: Any = builder.create_network(0)
    assert trt.OnnxParser(network, logger).parse(model.SerializeToString())
    with pytest.raises(EngineError, match="no layer of this model runs on a DLA"):
        dla.aim(jetson, network, builder.create_builder_config(), 0)
