"""Graphs built by a real TensorRT, where one is installed: TensorRT for RTX needs no GPU for it.

It has the parser and builder of TensorRT 11; what only an older one refuses is in tensorrt_rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import onnx

from voxgate.export.graph.attention import MOST_BYTES, SCORES, is_in_pieces
from voxgate.export.graph.memory import MB
from voxgate.export.graph.tensorrt_rules import check
from voxgate.runtime.engines.builder import BuildOptions, Built, ScratchError, build
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.flavour import RTX

SMALLER = "choose a smaller --input-px or backbone, or a larger --gpu-mb"
FIXED_BYTES = 32 * MB  # of scratch memory, at any size: 16 measured, of the default detector
GraphCheck = Callable[[onnx.ModelProto, str], None]
"""Graph and its name. Raises EngineError, with the layer, for one that TensorRT does not build."""
CARDS = (86, 120)
"""The oldest and the newest RTX cards in industrial PCs: A2000 to A6000, and Blackwell."""
AMPLE_MB = 4096
"""Whether an operator is built is no question of memory."""


def graph_check(by_building: bool, most_mb: int | None = None) -> GraphCheck:
    """The rules alone, or the rules and the real TensorRT. Raises TensorRTMissing without one.

    most_mb: that a run may take of a GPU's memory, weights included, as TensorRT counts it.
    """
    if not by_building:
        return check
    load_tensorrt(RTX)  # said before the work, not after it
    return partial(check_by_building, most_mb=most_mb)


def check_by_building(model: onnx.ModelProto, where: str, most_mb: int | None = None) -> None:
    """Raises EngineError unless the rules hold and TensorRT builds it for two kinds of card, for
    runs that take no more than `most_mb`."""
    check(model, where)
    for sm in CARDS:
        built = builds(model, where, sm, max(most_mb or 0, AMPLE_MB))
        if most_mb is not None:
            what = f"{where}, built for sm_{sm}"
            check_plan(built, what, most_mb, is_in_pieces(model))


def builds(model: onnx.ModelProto, where: str, sm: int, workspace_mb: int = AMPLE_MB) -> Built:
    """Raises EngineError unless TensorRT builds it for this kind of card: 86 is 8.6."""
    content, options = model.SerializeToString(), BuildOptions(workspace_mb)
    try:
        return build(load_tensorrt(RTX), content, "typed by the graph", options, sm=sm)
    except ScratchError as error:
        raise EngineError(
            f"{where}, built for sm_{sm}: TensorRT wants more than {workspace_mb:,} MB of a GPU "
            f"to run it: {SMALLER}"
        ) from error
    except EngineError as error:
        raise EngineError(f"{where}, built for sm_{sm}: {error}") from error


def check_plan(built: Built, what: str, most_mb: int, in_pieces: bool = False) -> None:
    """Raises EngineError for a plan whose runs take more than `most_mb`, with what would fit.

    An engine lays values beside each other, and takes more than a count of the graph does.
    in_pieces: whether its attention was split: a piece does not shrink with the picture.
    """
    scratch, weights, most = built.scratch_bytes, len(built.plan), most_mb * MB
    if scratch is None or weights + scratch <= most:
        return
    fixed = FIXED_BYTES + (SCORES * MOST_BYTES if in_pieces else 0)
    left = max(most - weights - fixed, 0)  # for maps, which grow with the square of the width
    percent = math.floor(100 * math.sqrt(min(left / max(scratch - fixed, left, 1), 1)))
    instead = f"{percent} % of the picture's width fits; " if percent else ""
    raise EngineError(
        f"{what}: TensorRT takes {_mb(weights + scratch):,} MB of a GPU to run it, "
        f"{_mb(weights):,} of them weights, at most {most_mb:,} are allowed: {instead}{SMALLER}"
    )


def _mb(nbytes: int) -> int:
    return -(-nbytes // MB)
