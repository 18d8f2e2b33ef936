"""The golden picture under the test picture's light, and what is left between the two.

Light multiplies: the camera's tone curve is a power, so that other light makes every grey level
larger by one factor, on print as on paint. One factor of the whole view takes a brighter lamp out,
up to the part's outline; one of every place, a mean over about 18 px in which flat places weigh
most, takes out gradients and a lens that darkens its corners: it is larger than a stain and smaller
than the faces of a part. What is white in either picture tells of no factor, and what lies beside
the part of little: it would pull the part's edges to another light than its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.reference.comparison_head import TINT_SMOOTHING, flatness

# Off the part the golden picture is the test picture itself and tells nothing about light. Pixels
# that agree exactly count this little there; not nothing, or a mark would be all that counts on a
# picture that agrees everywhere else.
EXACT = 0.05
# The same of a block around a place: the lamp is out already, so less is at stake. A block of which
# a quarter differs counts whole.
ALIKE, DIFFERS = 0.5, 0.25
WHITE = 255.0  # a picture shows nothing brighter, so what is white tells of no factor
NOTHING = 1e-3  # grey levels: where all is black, the factor is 1


@dataclass(frozen=True, slots=True)
class SameLight:
    """(1, 1, h, w) each. golden: under the test picture's light; difference: test minus that; own:
    the golden picture under its own light; compared: 0 to 1, 0 off the part, where both are one
    picture.
    """

    golden: str
    difference: str
    own: str
    compared: str


def same_light(
    graph: GraphBuilder, image: str, golden: str, noise: str, size: tuple[int, int], block: int
) -> SameLight:
    """Both pictures (1, 1, h, w) of `size`, `block` px to a block of the place's factor."""
    agree = graph.op("Abs", graph.op("Sub", image, golden))
    compared = graph.op("Min", agree, graph.constant(1.0))
    flat = graph.op("Mul", flatness(graph, golden, noise), below_white(graph, image, golden))
    counts = graph.op("Mul", flat, graph.op("Max", compared, graph.constant(EXACT)))
    lamp = graph.op("Div", _whole_mean(graph, counts, image), _whole_mean(graph, counts, golden))
    # what is off the part stays the test picture
    under = graph.op("Add", golden, graph.op("Mul", compared, _change(graph, golden, lamp)))
    place = place_light(graph, flat, image, under, compared, size, block)
    lit = at_most_white(graph, graph.op("Mul", under, place))
    difference = graph.op("Mul", compared, graph.op("Sub", image, lit))
    return SameLight(lit, difference, golden, compared)


def place_light(
    graph: GraphBuilder,
    flat: str,
    image: str,
    golden: str,
    compared: str,
    size: tuple[int, int],
    block: int,
) -> str:
    """(1, 1, h, w) by how much more light a place of the one grey picture has than of the other;
    most of it by the blocks that are on the part."""
    share = graph.shrink(compared, block)
    differs = graph.op("Min", graph.scaled(share, 1 / DIFFERS), graph.constant(1.0))
    counts = graph.op("Max", differs, graph.constant(ALIKE))
    place = graph.op(
        "Div",
        _mean(graph, graph.op("Mul", flat, image), counts, block),
        _mean(graph, graph.op("Mul", flat, golden), counts, block),
    )
    return graph.grow(place, 1, size)


def at_most_white(graph: GraphBuilder, picture: str) -> str:
    return graph.op("Min", picture, graph.constant(WHITE))


def below_white(graph: GraphBuilder, image: str, golden: str) -> str:
    """0 where either is white, 1 elsewhere."""
    brighter = graph.op("Max", image, golden)
    below = graph.op("Sub", graph.constant(WHITE), brighter)
    return graph.op("Min", below, graph.constant(1.0))


def _change(graph: GraphBuilder, golden: str, factor: str) -> str:
    return graph.op("Sub", graph.op("Mul", golden, factor), golden)


def _whole_mean(graph: GraphBuilder, weight: str, picture: str) -> str:
    mean = graph.op("GlobalAveragePool", graph.op("Mul", weight, picture))
    return graph.sum(mean, graph.constant(NOTHING))


def _mean(graph: GraphBuilder, weighted: str, counts: str, block: int) -> str:
    blocks = graph.op("Mul", graph.shrink(weighted, block), counts)
    return graph.sum(graph.boxes(blocks, TINT_SMOOTHING), graph.constant(NOTHING))
