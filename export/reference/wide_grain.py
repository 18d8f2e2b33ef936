"""What a grain wider than the texture's band may differ by: another part shows another phase.

The band that `comparison_head` takes the texture from ends at some four pixels; a wider grain
passes it, and is in the difference of two parts all the same. It shows as slopes in all directions.
An edge has slopes in one, and a corner, a hole or crossing shadows are alone: none may hide a mark
beside it. So what counts is the smaller eigenvalue of the structure tensor (Foerstner and Guelch,
1987), as far as it is found all around.
"""

from __future__ import annotations

from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.reference.comparison_head import TEXTURE_GAIN
from voxgate.runtime.pixels.windows import window_px

CELL_MM = 2.0  # wider than what the band holds, narrower than what structure a part has
CELLS_PX = (2, 4)  # what a block of light holds whole
WINDOW = 3  # cells, in which slopes are counted together
AROUND = 5  # cells in which grain must be everywhere: a corner fills three
REACH = 9  # cells to which the most of that is believed again: AROUND, and two beyond
# Half the difference of two cells with independent grey varies half as much as one of them.
VARIANCE_OVER_SLOPE = 2.0
LEAST_SHARE = 0.35  # of the usual variance, what the least around still shows
# Deviation: the tolerance of noise holds a fainter grain, and marks are as faint.
FAINT_GREY = 6.0
SMALL = 1 / 16  # slopes are squared twice: their squares stay within a half float


def resolves_grain(pixel_mm: float) -> bool:
    """Whether a cell is as narrow as grain: one of coarser pixels holds what structure a part has,
    which would hide a mark of a few millimetres."""
    return CELLS_PX[0] * pixel_mm <= CELL_MM


def wide_grain(graph: GraphBuilder, golden: str, size: tuple[int, int], pixel_mm: float) -> str:
    """(1, 1, h, w), grey levels squared: the variance of the difference of two parts by it.

    golden: (1, 1, h, w) of `size`, multiples of the largest cell; a pixel spans pixel_mm.
    """
    cell_px = max(cell for cell in CELLS_PX if cell <= window_px(CELL_MM, pixel_mm, CELLS_PX[0]))
    least = _least_slope(graph, graph.scaled(graph.shrink(golden, cell_px), SMALL))
    per_slope = VARIANCE_OVER_SLOPE / LEAST_SHARE / SMALL**2
    everywhere = graph.minimum(least, AROUND)
    over = graph.op("Relu", graph.op("Sub", everywhere, graph.constant(FAINT_GREY**2 / per_slope)))
    grain = graph.op("Min", everywhere, graph.scaled(over, 2.0))  # in full from twice faint on
    variance = graph.scaled(graph.maximum(grain, REACH), TEXTURE_GAIN**2 * per_slope)
    return graph.grow(variance, 1, size)


def _least_slope(graph: GraphBuilder, x: str) -> str:
    """The smaller eigenvalue of the mean products of slopes, per cell squared."""
    across, down = graph.slopes(x)
    xx, yy, xy = (
        graph.box(product, WINDOW)
        for product in (graph.square(across), graph.square(down), graph.op("Mul", across, down))
    )
    half = graph.scaled(graph.op("Sub", xx, yy), 0.5)
    apart = graph.op("Sqrt", graph.sum(graph.square(half), graph.square(xy)))
    return graph.op("Sub", graph.scaled(graph.sum(xx, yy), 0.5), apart)
