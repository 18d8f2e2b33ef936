"""What comparing a view with its golden view gave, of the picture and of the shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from voxgate.runtime.comparison.compare import FloatMap, Mask, opened
from voxgate.runtime.nouns import ColourImage, GreyImage, Picture


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """One view against its golden view.

    reference: (h, w) uint8, complete: the golden view re-rendered; the image itself where there is
        nothing to compare (off the part, around vanished surface).
    gloss: (h, w) uint8, the golden view's, moved along; 0 where it is not known.
    deviation_mm: (h, w) float32 along the golden normal, + in front (material added), - behind;
        NaN where there is no statement.
    geometry: (h, w) float32 >= 0, finite: deviation over tolerance; 1 = threshold, 0 no statement.
    vanished_mm, vanished_score: (n, 3), (n,) float32: expected surface that is gone, part frame.
    behind_mm: (n, 3) float32, part frame: what was met instead, on the ray through each of them.
    lost_mm: (m, 3) float32, part frame: expected surface without a return here, wide or, if asked
        for, of any width; to be fused as not seen. lost: (h, w) bool, its m pixels, row by row.
        lost_weight: (m,) float32, of what it says against the part that there was no return; 0
        where the picture alone speaks: the golden view had none either, an edge flickers beside
        such a place, or it is narrow and no edge is near.
    moved_mm: how far this view takes the part from its alignment; some 0.1 mm are the robot's.
    blind: pixels that gave no return where the golden view had one, over the latter's number, both
        off edges unless there is little else; where the sensor cannot see (blind_spots) they are no
        part of it, and not lost either.
    unknown_mm2: measured surface of the part that no golden view makes a statement about, as it
        faces the camera: single pixels at edges are not counted.
    pixel_mm: what a pixel spans on the part.
    sensed: of a sensor beside the camera, on its own pixels: what is said of the shape. Here stands
        the picture then, and of geometry what the camera sees of it; nothing vanishes here.
    colour: reference in colour, where view and golden view have it.
    """

    reference: GreyImage
    gloss: GreyImage
    deviation_mm: FloatMap
    geometry: FloatMap
    vanished_mm: FloatMap
    vanished_score: FloatMap
    behind_mm: FloatMap
    lost_mm: FloatMap
    lost: Mask
    lost_weight: FloatMap
    blind: float
    moved_mm: float
    unknown_mm2: float
    pixel_mm: float
    sensed: Registered | None = None
    colour: ColourImage | None = None

    @property
    def reference_picture(self) -> Picture:
        """As view.picture: in colour where both views are."""
        return self.reference if self.colour is None else self.colour

    @property
    def shape(self) -> Registered:
        """What is said of the shape."""
        return self if self.sensed is None else self.sensed

    def with_shape(self, shape: Registered) -> Registered:
        """The same, and `shape` said of the shape."""
        return shape if self.sensed is None else replace(self, sensed=shape)

    @property
    def shown(self) -> Mask:
        """(m,) bool: at which of the lost pixels the picture alone speaks."""
        return np.asarray(self.lost_weight == 0)

    @property
    def lost_wide(self) -> Mask:
        """(m,) bool: which of the lost pixels are more than an edge's flicker."""
        missed = self.lost.copy()
        missed[missed] = ~self.shown
        return opened(missed, self.pixel_mm)[self.lost]
