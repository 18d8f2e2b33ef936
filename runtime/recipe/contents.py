"""What stands in the files of a recipe, one by one; ValueError and its kind where one is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.npz import arrays_of
from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.nouns import DepthMap, GreyImage, Picture
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.transforms import Transform, rigid

SENSED = "sensed_depth_counts"
MAX_VIEWS = 64  # a bound on memory; a ring of viewpoints has a dozen


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceView:
    """One view of the golden scan, as it was taken.

    image: (h, w) uint8, or (h, w, 3) of a recipe that sees colour.
    depth_counts: (h, w) uint16 of depth_unit_mm each, 0 where there was no return.
    gloss: (h, w) uint8, grey levels by which this surface point changes from view to view, or more
        where further good parts differed. spread: (h, w) uint8, what their shape differed by, in
        SPREAD_UNIT_MM.
    shown_counts: (h, w) uint16, depth of the surface that the picture shows where there was no
        return, as other views tell it; 0 elsewhere.
    sensed: what a sensor beside the camera measured; its picture is blank.
    evened: like image, the picture of a face without its grain; 0 elsewhere. None: no such face.
    """

    image: Picture
    depth_counts: npt.NDArray[np.uint16]
    depth_unit_mm: float
    part_from_camera: Transform
    gloss: GreyImage
    shown_counts: npt.NDArray[np.uint16]
    spread: npt.NDArray[np.uint8]
    sensed: ReferenceView | None = None
    evened: Picture | None = None

    @property
    def compared(self) -> Picture:
        """What the picture of another part is held against: grain lies elsewhere on each."""
        if self.evened is None:
            return self.image
        return np.where(self.evened > 0, self.evened, self.image)

    @property
    def depth_mm(self) -> DepthMap:
        """(h, w) float32, NaN where there was no return."""
        return _depth_mm(self.depth_counts, self.depth_unit_mm)

    @property
    def shown_mm(self) -> DepthMap:
        """(h, w) float32, NaN where the picture alone shows nothing."""
        return _depth_mm(self.shown_counts, self.depth_unit_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One recorded run of the model: what went in, and the (h, w) float32 scores that came out."""

    inputs: dict[str, npt.NDArray[np.generic]]
    score: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrayProbe:
    """A tray that was judged at export: image (n, h, w) uint8, (n, h, w, 3) where it is judged in
    colour, depth_mm (n, h, w) float32 with NaN, part_from_camera (n, 4, 4); of every stride_px-th
    pixel of the camera. score (k,): of each instance, NaN of one that was not compared."""

    image: npt.NDArray[np.uint8]
    depth_mm: npt.NDArray[np.float32]
    part_from_camera: npt.NDArray[np.float64]
    stride_px: int
    score: npt.NDArray[np.float64]

    @property
    def in_colour(self) -> bool:
        """Whether hues are compared."""
        return self.image.ndim == 4


def tray_probe_of(content: bytes) -> TrayProbe:
    """Of probe.npz of a recipe for trays."""
    arrays = arrays_of(content)
    return TrayProbe(
        arrays["image"],
        _depth_mm(arrays["depth_counts"], float(arrays["depth_unit_mm"])),
        np.stack([rigid(each) for each in arrays["part_from_camera"]]),
        int(arrays["stride_px"]),
        arrays["score"],
    )


def plan_of(content: bytes) -> ViewPlan:
    """Of viewplan.json."""
    fields = parse_object(content.decode("utf-8"))
    views = fields.objects("views", MAX_VIEWS)
    return ViewPlan(
        views=tuple(rigid(view.numbers("part_from_camera", (4, 4))) for view in views),
        max_distance_mm=fields.number("max_distance_mm", 0.0, 1e4),
        max_angle_deg=fields.number("max_angle_deg", 0.0, 180.0),
    )


def expected_of(content: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.int32]:
    """(n, 3) voxels of a grid of `shape`, of expected.npz."""
    ijk: npt.NDArray[np.int32] = arrays_of(content)["ijk"]
    if ijk.ndim != 2 or ijk.shape[1] != 3 or ijk.dtype != np.int32 or not len(ijk):
        raise ValueError(f"expected.npz: ijk is (n, 3) int32, got {ijk.shape} {ijk.dtype}")
    if (ijk < 0).any() or (ijk >= shape).any():
        raise ValueError("expected.npz: voxels lie outside the grid")
    return ijk


def reference_of(content: bytes | None, count: int) -> tuple[ReferenceView, ...]:
    """One golden view for each of `count` planned ones, of reference.npz; none without it."""
    if content is None:
        return ()
    arrays = arrays_of(content)
    if len(arrays["image"]) != count:
        raise ValueError(
            f"reference.npz: {len(arrays['image'])} views, but the view plan has {count}"
        )
    unit_mm = float(arrays["depth_unit_mm"])
    # recipes of 0.1 do not say
    shown = arrays.get("shown_counts", np.zeros_like(arrays["depth_counts"]))
    spread = arrays.get("spread_counts", np.zeros_like(arrays["gloss"]))
    sensed = _sensed(arrays, unit_mm) if SENSED in arrays else [None] * count
    evened = arrays.get("evened", [None] * count)
    return tuple(
        ReferenceView(image, depth, unit_mm, rigid(pose), gloss, only_shown, own, of_sensor, even)
        for image, depth, pose, gloss, only_shown, own, of_sensor, even in zip(
            arrays["image"],
            arrays["depth_counts"],
            arrays["part_from_camera"],
            arrays["gloss"],
            shown,
            spread,
            sensed,
            evened,
            strict=True,
        )
    )


def _sensed(arrays: Mapping[str, npt.NDArray[Any]], unit_mm: float) -> list[ReferenceView | None]:
    """Of a sensor beside the camera, which has no picture."""
    counts = arrays[SENSED]
    blank = np.zeros(counts.shape[1:], np.uint8)
    silent = np.zeros(counts.shape[1:], np.uint16)
    spread = arrays.get("sensed_spread_counts", np.zeros(counts.shape, np.uint8))
    return [
        ReferenceView(blank, depth, unit_mm, rigid(pose), blank, silent, own)
        for depth, pose, own in zip(counts, arrays["part_from_sensor"], spread, strict=True)
    ]


def _depth_mm(counts: npt.NDArray[np.uint16], unit_mm: float) -> npt.NDArray[np.float32]:
    return np.where(counts == 0, np.nan, counts * unit_mm).astype(np.float32)


def probes_of(content: bytes) -> tuple[Probe, ...]:
    """Arrays `<n>.<input>` and `<n>.score`, n = 0, 1, ..."""
    arrays = arrays_of(content)
    count = sum(key.endswith(".score") for key in arrays)
    return tuple(_probe(arrays, f"{number}.") for number in range(count))


def _probe(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Probe:
    own = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
    score = own.pop("score")
    return Probe(own, score)
