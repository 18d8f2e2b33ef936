"""The default model in colour: the filter bank on the luma, and beside it what hue alone shows.

`image`, `reference` uint8 (1, 3, h, w), red, green, blue; `gloss` uint8 (1, 1, h, w) -> `score`
float32 (1, 1, h, w). The golden picture is brought under the test picture's light: one factor of
each colour for the whole view, as lamps and white balance drift, held within WHITE of each other;
and one factor of every place for all three, for light that changes from place to place keeps its
hue. So a large part of another colour is not taken for light. What is left is compared as luma,
like a grey picture, and as two differences of colour, red and blue against luma, at half the size:
mosaics and JPEG know hue no finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.reference.comparison_head import (
    SPREAD,
    Features,
    flatness,
    per_channel,
    steepness,
    tolerances_apart,
)
from voxgate.export.reference.filter_bank import (
    BLOCK_PX,
    INPUTS,
    LEVELS,
    SMOOTHING,
    finish,
    levels,
    noise_of,
    padded_size,
    picture,
    unsteady_squared,
)
from voxgate.export.reference.same_light import (
    EXACT,
    NOTHING,
    SameLight,
    at_most_white,
    below_white,
    place_light,
)
from voxgate.runtime.pixels.colour import COLOURS

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as the runtime takes grey from colour
# How far a colour's light may drift from the others': lamps that warm up, another white balance.
WHITE = 0.06
# Robust weights of the whole view's light, one per step: grey levels, wide first. A third of the
# part may have another colour, and does not count as light.
SCALES_GREY = (30.0, 15.0, 8.0)
CHROMA_SHRINK = 2
# Grey levels of red and blue against luma, at half the size: noise of three colours, and what a
# JPEG's rounding of hue leaves
CHROMA_NOISE = 2.0
# Of these larger cells: half a pixel of placement, half a cell of where a mosaic or a JPEG puts hue
MISPLACEMENT_CELLS = 0.6
# Prints lie elsewhere on every part, and their colours with them; but a small part of another
# colour than its surroundings is no texture.
TEXTURE_GAIN = 0.5
# A mosaic paints edges of luma in colours that depend on where they fall on it.
FRINGE_CELLS = 0.5
# What is left of other light changes strong colours by so much of their strength.
LIGHT_LEFT = 0.04


@dataclass(frozen=True, slots=True)
class _Coloured:
    """(1, 3, h, w), and its luma (1, 1, h, w)."""

    colour: str
    luma: str

    @classmethod
    def of(cls, graph: GraphBuilder, colour: str) -> _Coloured:
        return cls(colour, _mixed(graph, colour, [LUMA]))


def colour_bank(size_px: tuple[int, int], full_scale: float) -> onnx.ModelProto:
    """The graph for pictures of size_px (h, w); `full_scale` tolerances become score 1.0."""
    graph = GraphBuilder()
    image, golden, gloss = (picture(graph, name, size_px) for name in INPUTS)
    size, unsteady = padded_size(size_px), unsteady_squared(graph, gloss)
    seen, known = _Coloured.of(graph, image), _Coloured.of(graph, golden)
    compared = _compared(graph, image, golden)
    white = (graph.op("ReduceMax", each, axes=[1]) for each in (image, golden))
    flat = flatness(graph, known.luma, noise_of(graph, LEVELS[0]))
    flat = graph.op("Mul", flat, below_white(graph, *white))
    under = _Coloured.of(graph, _under_lamps(graph, image, golden, compared, flat))
    place = place_light(graph, flat, seen.luma, under.luma, compared, size, BLOCK_PX)
    lit = _Coloured.of(graph, at_most_white(graph, graph.op("Mul", under.colour, place)))
    apart = _difference(graph, seen.luma, lit.luma, compared)
    grey = SameLight(lit.luma, apart, known.luma, compared)
    hue = _hue(graph, _difference(graph, seen.colour, lit.colour, compared), lit, unsteady, size)
    maps = [*levels(graph, grey, unsteady, size), hue]
    return finish(graph, maps, full_scale, size_px, INPUTS, channels=COLOURS)


def _compared(graph: GraphBuilder, image: str, golden: str) -> str:
    """0 to 1 (1, 1, h, w): 0 off the part, where both are one picture."""
    agree = graph.op("Abs", graph.op("Sub", image, golden))
    return graph.op("Min", graph.op("ReduceMax", agree, axes=[1]), graph.constant(1.0))


def _difference(graph: GraphBuilder, image: str, lit: str, compared: str) -> str:
    return graph.op("Mul", compared, graph.op("Sub", image, lit))


def _under_lamps(graph: GraphBuilder, image: str, golden: str, compared: str, flat: str) -> str:
    """The golden picture under the whole view's light, colour by colour; off the part as it is."""
    counts = graph.op("Mul", flat, graph.op("Max", compared, graph.constant(EXACT)))
    blocks = [
        graph.shrink(x, BLOCK_PX)
        for x in (graph.op("Mul", counts, image), graph.op("Mul", counts, golden), counts)
    ]
    lamps = _lamps(graph, *blocks)
    change = graph.op("Sub", graph.op("Mul", golden, lamps), golden)
    return graph.op("Add", golden, graph.op("Mul", compared, change))


def _lamps(graph: GraphBuilder, image: str, golden: str, counts: str) -> str:
    """(1, 3, 1, 1) how much more light of each colour, of blocks; robust, by Geman-McClure."""
    lamps = _ratio(graph, _whole(graph, image), _whole(graph, golden))
    for scale_grey in SCALES_GREY:
        left = graph.op("Sub", image, graph.op("Mul", golden, lamps))
        left = _ratio(graph, left, counts)
        squares = graph.scaled(graph.channel_mean(graph.square(left), COLOURS), scale_grey**-2)
        believed = graph.op("Reciprocal", graph.square(graph.sum(squares, graph.constant(1.0))))
        sums = [_whole(graph, graph.op("Mul", believed, x)) for x in (image, golden)]
        lamps = _ratio(graph, *sums)
    lamp = _ratio(graph, *(_mixed(graph, each, [LUMA]) for each in sums))
    tint = graph.op("Div", lamps, lamp)
    low, high = graph.constant(1.0 - WHITE), graph.constant(1.0 + WHITE)
    return graph.op("Mul", lamp, graph.op("Max", low, graph.op("Min", high, tint)))


def _hue(
    graph: GraphBuilder, difference: str, lit: _Coloured, unsteady: str, size: tuple[int, int]
) -> str:
    """Tolerances apart of red and blue against luma, at full size."""
    against_luma = np.eye(COLOURS, dtype=np.float32)[[0, 2]] - np.array(LUMA, np.float32)
    apart, chroma, luma, unsteady = (
        graph.shrink(x, CHROMA_SHRINK)
        for x in (
            _mixed(graph, difference, against_luma),
            _mixed(graph, lit.colour, against_luma),
            lit.luma,
            unsteady,
        )
    )
    noise = graph.constant(per_channel([CHROMA_NOISE, CHROMA_NOISE]))
    features = Features(
        *(apart, chroma, noise, 2, size, BLOCK_PX, SMOOTHING),
        misplacement_cells=MISPLACEMENT_CELLS,
        texture_gain=TEXTURE_GAIN,
    )
    steep = graph.boxes(steepness(graph, graph.boxes(luma, SMOOTHING)), SPREAD)
    tolerance = graph.sum(
        unsteady,
        graph.scaled(steep, FRINGE_CELLS**2),
        graph.scaled(graph.square(chroma), LIGHT_LEFT**2),
    )
    return graph.grow(tolerances_apart(graph, features, tolerance), 1, size)


def _whole(graph: GraphBuilder, x: str) -> str:
    return graph.op("GlobalAveragePool", x)


def _ratio(graph: GraphBuilder, over: str, under: str) -> str:
    nothing = graph.constant(NOTHING)
    return graph.op("Div", graph.sum(over, nothing), graph.sum(under, nothing))


def _mixed(graph: GraphBuilder, colour: str, weights: object) -> str:
    """Each row of weights (n, 3) becomes a channel."""
    kernel = np.asarray(weights, np.float32)[..., None, None]
    return graph.op("Conv", colour, graph.constant(kernel))
