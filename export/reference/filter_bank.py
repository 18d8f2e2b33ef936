"""The default model: a filter bank on the golden picture, no learned weight, one ONNX graph.

`image`, `reference`, `gloss` uint8 (1, 1, h, w) -> `score` float32 (1, 1, h, w). `reference` is the
golden view re-rendered into the test view's pixels, so placement is already undone to a fraction
of a pixel; what is left of it is the slope term of `export.comparison_head`. `gloss` says where the
golden part flickers from view to view (`export.gloss`), and by how much grain may stray on a face
whose mean `reference` shows (`export.reference.grain_borne`), rendered alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from voxgate.export.graph.onnx_graph import OPSET, GraphBuilder
from voxgate.export.reference.comparison_head import (
    SPREAD,
    Features,
    grain_squared,
    per_channel,
    steepness,
    tolerances_apart,
)
from voxgate.export.reference.same_light import SameLight, same_light
from voxgate.runtime.recipe.manifest import PICTURE_INPUTS

BLOCK_PX = 8  # light is compared in blocks: fine against 18 px, and 64 times less to compute
SMALLEST_MARK_PX = 2  # what is narrower in any direction is an edge's shimmer, not a mark
SMOOTHING = (3,)  # a mean over 1.5 mm at 0.5 mm a pixel: a scratch of one pixel keeps a third
# Score 1.0 in tolerances. A tolerance is one sigma of what good parts differ by; a part shows some
# 10^6 pixels, of which noise alone takes one beyond 5 sigma, and four of them together none.
FULL_SCALE = 5.0
# Highlights move by a fifth of their own height between good parts: 0.6 mm and 0.4 degrees turn a
# facet by a twentieth of the angle between neighbouring views, and gloss itself varies.
UNSTEADY = 0.2
INPUTS = ("image", "reference", "gloss")


@dataclass(frozen=True, slots=True)
class Level:
    """One octave: pictures shrunk by `shrink`, with the noise (grey levels) left after smoothing.

    grain: squared, against that of a picture of HALF the size; a finer picture shows more.
    The noise holds sensor noise (1.5 grey levels a pixel), JPEG, quantisation and what is left of
    other light after it was made the same.
    """

    shrink: int
    noise_grey: float
    grain: float


LEVELS = (Level(1, 1.5, 1.5), Level(2, 1.0, 1.0))
HALF = 2
# The broad level compares means over 6 mm at 0.5 mm a pixel: print and grain that lie elsewhere are
# gone in them, but for a share, and a stain is not.
BROAD_NOISE_GREY = 1.5
BROAD_MISPLACEMENT_CELLS = 0.25  # half a pixel, doubled
BROAD_GRAIN = 0.22  # of a texture's square stays, of two pictures
MOST_GRAIN = 0.08  # of the grey level: a stronger texture is print, and no stain is borne for it


def filter_bank(size_px: tuple[int, int], full_scale: float) -> onnx.ModelProto:
    """The graph for pictures of size_px (h, w); `full_scale` tolerances become score 1.0."""
    graph = GraphBuilder()
    image, golden, gloss = (picture(graph, name, size_px) for name in INPUTS)
    size = padded_size(size_px)
    pair = same_light(graph, image, golden, noise_of(graph, LEVELS[0]), size, BLOCK_PX)
    maps = levels(graph, pair, unsteady_squared(graph, gloss), size)
    return finish(graph, maps, full_scale, size_px, INPUTS)


def levels(graph: GraphBuilder, pair: SameLight, unsteady: str, size: tuple[int, int]) -> list[str]:
    """Tolerances apart of two grey pictures, at full size: of what is fine, and of the rest."""
    grain = _grain(graph, pair)
    fine, coarse = (_level(graph, level, pair, grain, unsteady, size) for level in LEVELS)
    coarse = graph.op("Max", coarse, _broad(graph, pair, unsteady, size))
    return [fine, graph.grow(coarse, 1, size)]


def unsteady_squared(graph: GraphBuilder, gloss: str) -> str:
    """What flickers, as a tolerance, squared."""
    return graph.square(graph.scaled(gloss, UNSTEADY))


def silent(size_px: tuple[int, int]) -> onnx.ModelProto:
    """The graph that says nothing: 0 everywhere, for a golden scan whose pictures prove nothing."""
    graph = GraphBuilder()
    nothing = graph.constant(0.0)
    graph.nodes.append(helper.make_node("Mul", [graph.to_float("image"), nothing], ["score"]))
    shape = [1, 1, *size_px]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, shape)
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, shape)
    return graph.model([image], [score], OPSET)


def padded_size(size_px: tuple[int, int]) -> tuple[int, int]:
    """The next multiples of the block."""
    height, width = (-(-side // BLOCK_PX) * BLOCK_PX for side in size_px)
    return height, width


def finish(
    graph: GraphBuilder,
    maps: list[str],
    full_scale: float,
    size_px: tuple[int, int],
    inputs: tuple[str, ...],
    opset: int = OPSET,
    smallest_px: int = SMALLEST_MARK_PX,
    channels: int = 1,
) -> onnx.ModelProto:
    """The strongest of several maps without specks, scaled so that `full_scale` is 1.0.

    channels: of the pictures among the inputs.
    """
    strongest = maps[0] if len(maps) == 1 else graph.op("Max", *maps)
    apart = graph.cropped(graph.opening(strongest, smallest_px), size_px)
    factor = graph.constant(1.0 / full_scale)
    graph.nodes.append(helper.make_node("Mul", [apart, factor], ["score"]))
    shape = [1, 1, *size_px]
    declared = [
        helper.make_tensor_value_info(
            name, TensorProto.UINT8, [1, channels if name in PICTURE_INPUTS else 1, *size_px]
        )
        for name in inputs
    ]
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, shape)
    return graph.model(declared, [score], opset)


def picture(graph: GraphBuilder, name: str, size_px: tuple[int, int]) -> str:
    height, width = padded_size(size_px)
    return graph.padded(graph.to_float(name), height - size_px[0], width - size_px[1])


def noise_of(graph: GraphBuilder, level: Level) -> str:
    return graph.constant(per_channel(level.noise_grey))


def _grain(graph: GraphBuilder, pair: SameLight) -> str:
    own, compared = (graph.shrink(x, HALF) for x in (pair.own, pair.compared))
    smooth = graph.boxes(own, SMOOTHING)
    return grain_squared(graph, smooth, compared, BLOCK_PX // HALF)


def _broad(graph: GraphBuilder, pair: SameLight, unsteady: str, size: tuple[int, int]) -> str:
    """Tolerances apart of means over 6 mm, at half size: a stain on bars that lie elsewhere."""
    golden, difference, unsteady = (
        graph.shrink(x, HALF) for x in (pair.golden, pair.difference, unsteady)
    )
    band = graph.square(graph.op("Sub", golden, graph.boxes(golden, SPREAD)))
    texture = graph.boxes(graph.shrink(band, HALF), SPREAD)
    smooth = graph.boxes(graph.shrink(golden, HALF), SMOOTHING)
    most = graph.square(graph.scaled(smooth, MOST_GRAIN))
    tolerance = graph.sum(
        graph.scaled(graph.boxes(steepness(graph, smooth), SMOOTHING), BROAD_MISPLACEMENT_CELLS**2),
        graph.scaled(graph.op("Min", texture, most), BROAD_GRAIN),
        graph.constant(per_channel(BROAD_NOISE_GREY**2)),
        graph.shrink(unsteady, HALF),
    )
    apart = graph.square(graph.boxes(graph.shrink(difference, HALF), SMOOTHING))
    height, width = size
    return graph.grow(
        graph.op("Sqrt", graph.op("Div", apart, tolerance)), 1, (height // HALF, width // HALF)
    )


def _level(
    graph: GraphBuilder,
    level: Level,
    pair: SameLight,
    grain: str,
    unsteady: str,
    size: tuple[int, int],
) -> str:
    spot, golden, unsteady = (
        graph.shrink(x, level.shrink) for x in (pair.difference, pair.golden, unsteady)
    )
    height, width = size
    noise = noise_of(graph, level)
    beyond = graph.op("Sub", graph.scaled(grain, level.grain), graph.square(noise))
    beyond = graph.grow(beyond, 1, (height // level.shrink, width // level.shrink))
    features = Features(*(spot, golden, noise, 1, size, BLOCK_PX, SMOOTHING), grain=beyond)
    return tolerances_apart(graph, features, unsteady)
