"""The rules of `tensorrt_rules` against the real parser and builder: none is held on hearsay."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
import tensorrt_rtx_bindings as trt

from tests.export.graph.test_tensorrt_rules import BROKEN, NEWER_OPSET
from tests.kits.nets import graph
from voxgate.export.graph.tensorrt_rules import ALLOWED
from voxgate.runtime.engines.builder import BuildOptions, build
from voxgate.runtime.engines.tensorrt_module import logger_of
from voxgate.runtime.errors import EngineError

OLDER = {
    "unknown operator": "Mod is in no list of TensorRT 8.6's operators",
    "double": "computed in FP32, and 8.6 and 10 say so in a warning alone",
    "whole exponent": "before 10.8",
    "diagonal": "8.6, and 10 before 10.12",
    "pooling of rows": "8.6 and 10 pool in two and three dimensions",
    "scattering none": "before 10.8",
    "opset 21": "10.3 reads up to 20",
}
"""What this TensorRT builds and an older one that is served does not, and which."""

CASES = {name: build for name, (build, _) in BROKEN.items()} | NEWER_OPSET


def built(model: onnx.ModelProto) -> None:
    build(trt, model.SerializeToString(), "fp32", BuildOptions(), sm=86)


def model_of(case: str) -> onnx.ModelProto:
    newer = {"opset 21": 21}.get(case, 19 if case in NEWER_OPSET else 17)
    return graph(CASES[case], opset=newer)


@pytest.mark.parametrize("case", sorted(set(CASES) - set(OLDER)))
def test_what_the_rules_refuse_tensorrt_refuses(case: str) -> None:
    with pytest.raises(EngineError, match=r"TensorRT (cannot read|does not build) this model"):
        built(model_of(case))


@pytest.mark.parametrize("case", sorted(OLDER))
def test_a_rule_for_an_older_tensorrt_is_known_to_be_one(case: str) -> None:
    built(model_of(case))


def test_tensorrt_has_every_operator_that_the_rules_allow() -> None:
    logger, _ = logger_of(trt)
    network: Any = trt.Builder(logger).create_network(0)
    parser = trt.OnnxParser(network, logger)
    assert {name for name in ALLOWED if not parser.supports_operator(name)} == set()
