"""Windows that mean a size on the part: millimetres, as the pixels of this view that span them."""

from __future__ import annotations

# The comparison was tuned at half a millimetre a pixel. What is finer was chosen so for a smaller
# defect, and a window is as many pixels of it; what is coarser has too few, and gets as many mm.
TUNED_MM = 0.5
COARSE_MM = 0.6
# Noise, flicker and misplacement come by the pixel: a window of less than half averages nothing.
COARSEST_MM = 1.0


def window_px(size_mm: float, pixel_mm: float, least_px: int = 1) -> int:
    """Pixels across of size_mm, where one spans pixel_mm; not below least_px."""
    spans_mm = TUNED_MM if pixel_mm <= COARSE_MM else min(pixel_mm, COARSEST_MM)
    return max(least_px, int(size_mm / spans_mm + 0.5))


def odd_px(size_mm: float, pixel_mm: float, least_px: int = 1) -> int:
    """As `window_px`, with a middle pixel: the next odd number below where it is even."""
    size_px = window_px(size_mm, pixel_mm, least_px)
    return size_px - 1 + size_px % 2
