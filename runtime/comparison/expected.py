"""What a planned viewpoint should see: the golden picture and its surface as small planes."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.plane_kernels import fit_planes, measure_roughness
from voxgate.runtime.geometry.projected import Frustum
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage, Picture
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.pixels.windows import odd_px, window_px
from voxgate.runtime.transforms import Transform

# how far outside its golden outline a part may appear: 2 mm off at twice a usual magnification
SURROUND_MM = 4.0
STEADY_MM = 0.2  # four sigma of the sensor; fillets and edges bend by more
ROUGH_PX = 5  # an edge reaches two pixels further, as the window does that planes are fitted in
LEAST_ROUGH_MM = np.float32(1e-30)  # its square is 0 beside any other
LEAST_PX = 3  # of a window against an edge: it flickers by a pixel at any resolution
FREE_MM = 3.5  # edges flicker by a pixel, and a shift of the part moves them by three
LEAST_STEADY = 0.15  # of a view's surface without an edge, to say how much of the view is blind
# Of a window: holes that steady surface lies around are the sensor's own, elsewhere on every part;
# they come by the pixel.
SPECK_PX = 11
SPREAD_UNIT_MM = 0.01  # of a count in a byte: up to 2.5 mm

# What is known of a pixel, as bits: the sensor had a return; one from the part; none, but the
# picture shows the part, and the depth is as other views tell it, good enough to compare pictures;
# it lies on the part or in a rim around it; the planes around continue each other, no edge is here.
RETURNED, MEASURED, SHOWN, NEAR, STEADY = 1, 2, 4, 8, 16

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedView:
    """The golden scan from one planned viewpoint, ready to be compared with.

    image: (h, w) uint8, distorted like every image.
    gloss: (h, w) uint8, grey levels by which this surface point changes from view to view.
    plane: (h, w, 4) float32 (n, d) with n . X = d for surface points X, golden camera frame, mm;
        n points at the camera, and is 0 where no surface is known.
    depth_mm: (h, w) float32, complete: where the sensor had no return, that of the nearest pixel.
    known: (h, w) uint8, what is known of each pixel: RETURNED, MEASURED, SHOWN, NEAR, STEADY.
    measured_px: how many are MEASURED; steady_px: of those how many are STEADY.
    specks: share of the steady surface that gave no return here and there, as black rubber does.
    spread: (h, w) uint8, what the shape of good parts may differ by, in full, to score less than
        the threshold, in SPREAD_UNIT_MM; 0 where nobody taught it.
    rough_mm: (h, w) float32 > 0, by how much the surface leaves the planes around, so that a little
        misplacement shows as a deviation; 0 beside what has no plane: nobody can say.
    pixel_mm: what a pixel spans on the part, where it stands square to the view; the median.
    table_z_mm: what lies lower in the part frame is the table.
    frustum: the space that it shows, part frame.
    sensed: what a sensor beside the camera should measure; its picture is blank.
    colour: (h, w, 3) uint8, image in colour, where the golden scan is.
    as_taken: the golden scan's own picture, where faces of `image` are without their grain.
    """

    image: GreyImage
    gloss: GreyImage
    plane: npt.NDArray[np.float32]
    depth_mm: DepthMap
    known: npt.NDArray[np.uint8]
    measured_px: int
    steady_px: int
    specks: float
    rough_mm: npt.NDArray[np.float32]
    spread: npt.NDArray[np.uint8]
    pixel_mm: float
    part_from_camera: Transform
    table_z_mm: float
    frustum: Frustum
    sensed: ExpectedView | None = None
    colour: ColourImage | None = None
    as_taken: Picture | None = None

    @property
    def taken(self) -> Picture:
        """The golden scan's own picture."""
        return self.picture if self.as_taken is None else self.as_taken

    @property
    def picture(self) -> Picture:
        """In colour where the golden scan is."""
        return self.image if self.colour is None else self.colour

    @property
    def shape(self) -> ExpectedView:
        """By which shape is judged."""
        return self if self.sensed is None else self.sensed

    @property
    def returned(self) -> Mask:
        """(h, w) where the sensor had a return."""
        return (self.known & RETURNED) > 0

    @property
    def measured(self) -> Mask:
        """(h, w) where it had one from the part."""
        return (self.known & MEASURED) > 0

    @property
    def shown(self) -> Mask:
        """(h, w) where the picture alone shows the part."""
        return (self.known & SHOWN) > 0

    @property
    def mostly_edges(self) -> bool:
        """Whether too little of it is steady for that to stand for all: a bundle of wires."""
        return self.steady_px < LEAST_STEADY * self.measured_px

    @property
    def free_radius_px(self) -> int:
        """Of the window in which all rays must have passed a point to prove it free."""
        return odd_px(FREE_MM, self.pixel_mm, LEAST_PX) // 2


def expect(
    picture: Picture,
    depth_mm: DepthMap,
    rays: Rays,
    part_from_camera: Transform,
    table_z_mm: float,
    gloss: GreyImage | None = None,
    shown_mm: DepthMap | None = None,
    spread: npt.NDArray[np.uint8] | None = None,
) -> ExpectedView:
    """Fit the planes of one golden view, grey or in colour; offline or at load, some 50 ms.

    depth (h, w) float32 mm, NaN = no return; surface below table_z_mm, part frame, is the table.
    shown_mm (h, w) float32: depth of the part where the picture shows it without a return, or NaN.
    Raises ValueError when the sizes differ or the part is not in the picture.
    """
    image, colour = grey_and_colour(picture)
    if not image.shape == depth_mm.shape == rays.x.shape:
        raise ValueError(
            f"image, depth and rays must have one shape, got {image.shape}, "
            f"{depth_mm.shape} and {rays.x.shape}"
        )
    depth = np.where(depth_mm > 0, depth_mm, np.nan).astype(np.float32)
    measured = height_mm(depth, rays, part_from_camera) >= table_z_mm
    if not measured.any():
        raise ValueError("the golden view has no depth on the part")
    plane = _zeros((*depth.shape, 4))
    fit_planes(depth, measured, rays.x, rays.y, plane)
    rough_mm = np.full(depth.shape, np.inf, np.float32)
    measure_roughness(plane, rays.x, rays.y, rough_mm)
    silent = np.full_like(depth, np.nan) if shown_mm is None else shown_mm
    shown = np.isnan(depth) & (silent > 0)
    pixel_mm = float(np.median(depth[measured]) / rays.lens[0])
    rim_px = 2 * window_px(SURROUND_MM, pixel_mm) + 1
    rim = np.ones((rim_px, rim_px), np.uint8)
    near = cv2.dilate((measured | shown).view(np.uint8), rim) > 0
    complete = nearest_known(np.where(shown, silent, depth))
    said = {RETURNED: depth > 0, MEASURED: measured, SHOWN: shown, NEAR: near}
    said[STEADY] = rough_mm <= STEADY_MM
    return ExpectedView(
        image=np.require(image, np.uint8, ["C", "W"]),
        gloss=np.require(np.zeros_like(image) if gloss is None else gloss, np.uint8, ["C", "W"]),
        plane=plane,
        depth_mm=complete,
        known=_together(said, depth.shape),
        measured_px=int(np.count_nonzero(measured)),
        steady_px=int(np.count_nonzero(measured & said[STEADY])),
        specks=_specks(measured & said[STEADY], said[RETURNED]),
        rough_mm=_where_finite(_reaching(rough_mm)),
        spread=np.zeros(depth.shape, np.uint8) if spread is None else _own(spread),
        pixel_mm=pixel_mm,
        part_from_camera=part_from_camera,
        table_z_mm=table_z_mm,
        frustum=Frustum.of(complete, part_from_camera, rays),
        colour=None if colour is None else np.require(colour, np.uint8, ["C", "W"]),
    )


def height_mm(
    depth_mm: DepthMap, rays: Rays, part_from_camera: Transform
) -> npt.NDArray[np.float32]:
    """(h, w) float32: z in the part frame of every measured pixel; NaN where the depth is."""
    a, b, c, offset = part_from_camera[2].astype(np.float32)
    height: npt.NDArray[np.float32] = depth_mm * (a * rays.x + b * rays.y + c) + offset
    return height


def _specks(steady: Mask, returned: Mask) -> float:
    """Share of the steady surface, with its small holes, that is such holes."""
    window = np.ones((SPECK_PX, SPECK_PX), np.uint8)
    filled: Mask = np.asarray(cv2.morphologyEx(steady.view(np.uint8), cv2.MORPH_CLOSE, window)) > 0
    return int(np.count_nonzero(filled & ~returned)) / max(1, int(np.count_nonzero(filled)))


def _own(counts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.require(counts, np.uint8, ["C", "W"])


def _together(said: Mapping[int, Mask], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """(h, w) the bits that are set where their masks are."""
    known = np.zeros(shape, np.uint8)
    for bit, mask in said.items():
        known[mask] |= bit
    return known


def _zeros(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """float32; they take memory where something is written, by pages of 4 kB.

    numpy asks for pages of 2 MB: those of a part that fills a fifth of the picture are all of it.
    """
    size = 4 * math.prod(shape)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(shape)


def _where_finite(rough_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    known, found = np.isfinite(rough_mm), _zeros(rough_mm.shape)
    found[known] = np.maximum(rough_mm[known], LEAST_ROUGH_MM)
    return found


def _reaching(rough_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The most within ROUGH_PX."""
    return np.asarray(cv2.dilate(rough_mm, np.ones((ROUGH_PX, ROUGH_PX), np.uint8)), np.float32)


def nearest_known(depth_mm: DepthMap) -> DepthMap:
    """(h, w) the depth of the nearest pixel that has one, by a distance transform with labels."""
    missing = np.isnan(depth_mm)
    _, labels = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.float32)
    nearest[labels[~missing]] = depth_mm[~missing]
    filled: DepthMap = nearest[labels]
    return filled
