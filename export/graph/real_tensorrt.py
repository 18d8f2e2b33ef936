"""Graphs built by a real TensorRT, where one is installed: TensorRT for RTX needs no GPU for it.

It has the parser and builder of TensorRT 11; what only an older one refuses is in tensorrt_rules.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from voxgate.export.graph.tensorrt_rules import check
from voxgate.runtime.engines.builder import BuildOptions, build
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.flavour import RTX

GraphCheck = Callable[[onnx.ModelProto, str], None]
"""Graph and its name. Raises EngineError, with the layer, for one that TensorRT does not build."""
CARDS = (86, 120)
"""The oldest and the newest RTX cards in industrial PCs: A2000 to A6000, and Blackwell."""
AMPLE = BuildOptions(workspace_mb=4096)
"""Whether an operator is built is no question of memory; that is asked where a plan is made."""


def graph_check(by_building: bool) -> GraphCheck:
    """The rules alone, or the rules and the real TensorRT. Raises TensorRTMissing without one."""
    if not by_building:
        return check
    load_tensorrt(RTX)  # said before the work, not after it
    return check_by_building


def check_by_building(model: onnx.ModelProto, where: str) -> None:
    """Raises EngineError unless the rules hold and TensorRT builds it for two kinds of card."""
    check(model, where)
    for sm in CARDS:
        builds(model, where, sm)


def builds(model: onnx.ModelProto, where: str, sm: int) -> None:
    """Raises EngineError unless TensorRT builds it for this kind of card: 86 is 8.6."""
    content = model.SerializeToString()
    try:
        build(load_tensorrt(RTX), content, "typed by the graph", AMPLE, sm=sm)
    except EngineError as error:
        raise EngineError(f"{where}, built for sm_{sm}: {error}") from error
