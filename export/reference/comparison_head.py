"""Test features against golden features: how many tolerances apart, at every pixel.

The same head serves the built-in filter bank (one channel: the grey picture) and a backbone of the
user's (many channels). Nothing is normalised by the test picture: what may differ is predicted
from the golden features alone, so one threshold serves a dull casting and a printed label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.export.graph.onnx_graph import GraphBuilder

SMOOTHING = (3, 3)  # box means, together a Gaussian of 1.2 cells: below that is sensor noise
SURROUND = (5, 5)  # on top of SMOOTHING: the coarse edge of the band that holds the texture
SPREAD = (5,)  # an edge's tolerance reaches two cells to either side of it
CONTEXT = (7, 7)  # 2.8 cells: the neighbourhood that stands for a spot's own texture
TINT_SMOOTHING = (5, 5, 3)  # over blocks of 8 px: with them a Gaussian of about 18 px
STRUCTURE_DISCOUNT = 4.0  # an edge tells about placement, not about light: it weighs less

# Registration, the robot's repeatability and the lens leave half a pixel; doubled, because
# SMOOTHING flattens a slope.
MISPLACEMENT_CELLS = 1.0
# Two pictures of one texture with independent phase differ by sqrt(2) of its deviation.
TEXTURE_GAIN = 1.41
# Grain is looked for off edges and prints: a place counts little where the picture near it is
# steeper than this, in grey levels a cell. So the even part of the grain itself is what counts,
# which shows some two fifths of its square.
GRAIN_STEEP = 3.0
GRAIN_REACH = 5
GRAIN_GAIN = 2.5
LEAST_PLAIN = 3e-3  # of the pixels around: where fewer count, all is drawn, and grain is not known


@dataclass(frozen=True, slots=True)
class Features:
    """Features of one picture pair on one lattice.

    difference: test minus golden; golden: (1, channels, h, w); noise: (1, channels, 1, 1), what
    light, tone and the sensor leave; size: (h, w); block: cells that make 8 px; smoothing: box
    means, one after the other; misplacement_cells, texture_gain: of the tolerance; grain:
    (1, 1, h, w), by how much the surroundings' texture squared stands out of the noise's; None: not
    asked.
    """

    difference: str
    golden: str
    noise: str
    channels: int
    size: tuple[int, int]
    block: int
    smoothing: tuple[int, ...] = SMOOTHING
    misplacement_cells: float = MISPLACEMENT_CELLS
    texture_gain: float = TEXTURE_GAIN
    grain: str | None = None


def without_light_change(graph: GraphBuilder, features: Features) -> str:
    """The difference without its slow part: light, tone, shading of an instance. (1, c, h, w)

    The slow part is a mean over about 18 px in which flat places weigh most: larger than a stain,
    smaller than the faces of a part.
    """
    weight = flatness(graph, features.golden, features.noise)
    mean = graph.op(
        "Div",
        slow(graph, graph.op("Mul", weight, features.difference), features.block),
        slow(graph, weight, features.block),
    )
    light = graph.grow(mean, features.channels, features.size)
    return graph.op("Sub", features.difference, light)


def flatness(graph: GraphBuilder, golden: str, noise: str) -> str:
    """0 to 1, how much a place tells about light: 1 where it is flat. (1, c, h, w)"""
    floor = graph.square(noise)
    steep = graph.boxes(steepness(graph, golden), SPREAD)
    return graph.op("Div", floor, graph.sum(graph.scaled(steep, STRUCTURE_DISCOUNT), floor))


def slow(graph: GraphBuilder, x: str, block: int) -> str:
    """The mean over about 18 px, in blocks of 8 px."""
    return graph.boxes(graph.shrink(x, block), TINT_SMOOTHING)


def tolerances_apart(
    graph: GraphBuilder, features: Features, unsteady_squared: str | None = None
) -> str:
    """|difference| / tolerance per cell, root mean square over channels. (1, 1, h, w), >= 0

    tolerance^2 = noise^2 + (misplacement * slope)^2 + (gain * local texture)^2 + unsteady^2, all of
    the golden picture; where the surroundings' grain stands out of the noise further than the local
    texture, it counts in its place: a grained face may happen to be even at a place, and another
    part is not; `unsteady_squared` (1, 1 or c, h, w) is where metal flickers.
    """
    tolerance = _tolerance_squared(graph, features)
    if unsteady_squared is not None:
        tolerance = graph.sum(tolerance, unsteady_squared)
    apart = graph.op(
        "Div", graph.square(graph.boxes(features.difference, features.smoothing)), tolerance
    )
    return graph.op("Sqrt", graph.channel_mean(apart, features.channels))


def per_channel(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """One number per channel in the shape that `Features.noise` has: (1, c, 1, 1) float32."""
    return np.asarray(values, np.float32).reshape(1, -1, 1, 1)


def steepness(graph: GraphBuilder, x: str) -> str:
    """Squared slope per cell."""
    across, down = graph.slopes(x)
    return graph.sum(graph.square(across), graph.square(down))


def _tolerance_squared(graph: GraphBuilder, features: Features) -> str:
    smooth = graph.boxes(features.golden, features.smoothing)
    texture, noise = texture_squared(graph, smooth), graph.square(features.noise)
    if features.grain is not None:
        texture = graph.op("Max", texture, features.grain)
    return graph.sum(
        graph.scaled(graph.boxes(steepness(graph, smooth), SPREAD), features.misplacement_cells**2),
        graph.scaled(texture, features.texture_gain**2),
        noise,
    )


def texture_squared(graph: GraphBuilder, smooth: str) -> str:
    """The mean square of what is finer than SURROUND, in the neighbourhood of every cell."""
    band = graph.op("Sub", smooth, graph.boxes(smooth, SURROUND))
    return graph.boxes(graph.square(band), CONTEXT)


def grain_squared(graph: GraphBuilder, smooth: str, compared: str, block: int) -> str:
    """The texture squared that the surroundings of a place have where nothing is drawn on them, in
    blocks of 8 px.

    compared: 0 to 1 (1, 1, h, w), 0 off the part, whose texture is not the part's.
    """
    flat = graph.constant(GRAIN_STEEP**2)
    steep = graph.largest(steepness(graph, smooth), GRAIN_REACH)
    plain = graph.square(graph.square(graph.op("Div", flat, graph.sum(steep, flat))))
    counts = graph.op("Mul", plain, compared)
    band = graph.square(graph.op("Sub", smooth, graph.boxes(smooth, SURROUND)))
    total = slow(graph, graph.op("Mul", counts, band), block)
    known = graph.sum(slow(graph, counts, block), graph.constant(LEAST_PLAIN))
    return graph.scaled(graph.op("Div", total, known), GRAIN_GAIN)
