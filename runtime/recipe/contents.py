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

SPREAD_UNIT_MM = 0.01  # of a count in a byte: up to 2.5 mm
SENSED = "sensed_depth_counts"
MAX_VIEWS = 64  # a bound on memory; a ring of viewpoints has a dozen


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceView:
    """One view of the golden scan, as it was taken.

    gloss: (h, w) uint8, grey levels by which this surface point changes from view to view, or more
        where further good parts differed. spread_mm: (h, w) float32, what their shape differed by.
    shown_mm: (h, w) float32, depth of the surface that the picture shows where there was no return,
        as other views tell it; NaN elsewhere.
    sensed: what a sensor beside the camera measured; its picture is blank.
    image: (h, w) uint8, or (h, w, 3) of a recipe that sees colour.
    """

    image: Picture
    depth_mm: DepthMap
    part_from_camera: Transform
    gloss: GreyImage
    shown_mm: DepthMap
    spread_mm: DepthMap
    sensed: ReferenceView | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One recorded run of the model: what went in, and the (h, w) float32 scores that came out."""

    inputs: dict[str, npt.NDArray[np.generic]]
    score: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrayProbe:
    """A tray that was judged at export: image (n, h, w) uint8, depth_mm (n, h, w) float32 with NaN,
    part_from_camera (n, 4, 4); of every stride_px-th pixel of the camera. score (k,): of each
    instance, NaN of one that was not compared."""

    image: npt.NDArray[np.uint8]
    depth_mm: npt.NDArray[np.float32]
    part_from_camera: npt.NDArray[np.float64]
    stride_px: int
    score: npt.NDArray[np.float64]


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
    depth_mm = _depth_mm(arrays["depth_counts"], unit_mm)
    # recipes of 0.1 do not say
    shown = arrays.get("shown_counts", np.zeros_like(arrays["depth_counts"]))
    shown_mm = _depth_mm(shown, unit_mm)
    nothing = np.zeros_like(arrays["gloss"])
    spread_mm = arrays.get("spread_counts", nothing) * np.float32(SPREAD_UNIT_MM)
    sensed = _sensed(arrays) if SENSED in arrays else [None] * count
    return tuple(
        ReferenceView(
            np.ascontiguousarray(image),
            depth,
            rigid(pose),
            np.ascontiguousarray(gloss),
            shown,
            spread,
            of_sensor,
        )
        for image, depth, pose, gloss, shown, spread, of_sensor in zip(
            arrays["image"],
            depth_mm,
            arrays["part_from_camera"],
            arrays["gloss"],
            shown_mm,
            spread_mm.astype(np.float32),
            sensed,
            strict=True,
        )
    )


def _sensed(arrays: Mapping[str, npt.NDArray[Any]]) -> list[ReferenceView | None]:
    """Of a sensor beside the camera, which has no picture."""
    depth_mm = _depth_mm(arrays[SENSED], float(arrays["depth_unit_mm"]))
    blank = np.zeros(depth_mm.shape[1:], np.uint8)
    silent = np.full(blank.shape, np.nan, np.float32)
    spread = arrays.get("sensed_spread_counts", np.zeros(depth_mm.shape, np.uint8))
    spread_mm = (spread * np.float32(SPREAD_UNIT_MM)).astype(np.float32)
    poses = arrays["part_from_sensor"]
    return [
        ReferenceView(blank, depth, rigid(pose), blank, silent, own)
        for depth, pose, own in zip(depth_mm, poses, spread_mm, strict=True)
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
