"""What may speak against a view or a scan: from plain facts to a note, or None when all is well.

What the finished part itself gives reason to doubt stands in decide.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.inspection.witnesses import Speck
from voxgate.runtime.nouns import Note, Picture, Reason, View
from voxgate.runtime.volume.volume import SUPPORT_SCORE

DIRT_VIEWS = 3  # in two, two grains may have fallen beside each other
DIRT_PX = 3  # a grain's middle, as noise and what lies behind let it appear


def unusable(
    view: View,
    shape: tuple[int, ...],
    uncertainty_max_mm: float,
    sensor: bool = False,
    in_colour: bool = False,
) -> Note | None:
    """A view that is not to be inspected at all. shape: (h, w) px that the calibration is for;
    sensor: whether depth must be of a sensor beside the camera; in_colour: the picture."""
    if view.uncertainty_mm > uncertainty_max_mm:
        return Note(
            Reason.POSE_UNCERTAIN,
            f"frame {view.frame_id}: the camera may have moved {view.uncertainty_mm:.3f} mm "
            f"within the clocks' residual, at most {uncertainty_max_mm:.3f}: slow down or stop to "
            "expose",
        )
    if view.image.shape != shape:
        return Note(
            Reason.FRAME_INVALID,
            f"frame {view.frame_id}: image is {view.image.shape}, the calibration is for {shape}",
        )
    if in_colour and view.colour is None:
        return Note(
            Reason.FRAME_INVALID,
            f"frame {view.frame_id}: its picture is grey, the recipe was taught in colour: send "
            "colour, or export a recipe from a grey golden scan",
        )
    if view.shape.depth_mm is None or sensor is (view.sensed is None):
        whose = " of the sensor beside the camera" if sensor else ""
        return Note(Reason.DEPTH_MISSING, f"frame {view.frame_id}: came without depth{whose}")
    return None


def duplicate(planned: int, view: View, arrived: Collection[int]) -> Note | None:
    """A second view of a viewpoint that is among the `arrived`."""
    if planned not in arrived:
        return None
    return Note(Reason.DUPLICATE_VIEW, f"frame {view.frame_id}: view {planned} had already come")


def repeated(view: View, shown: Mapping[int, int]) -> Note | None:
    """A picture that a view before it had too. shown: checksum of a picture -> its frame."""
    before = shown.get(checksum(view.picture))
    if before is None:
        return None
    return Note(
        Reason.DUPLICATE_VIEW,
        f"frame {view.frame_id}: its picture is that of frame {before}, pixel by pixel: no new "
        "exposure; does the camera deliver a buffer twice?",
    )


def golden_again(count: int) -> Note | None:
    """count: views whose picture is the golden view's own."""
    if not count:
        return None
    return Note(
        Reason.DUPLICATE_VIEW,
        f"{count} pictures are the golden scan's own, pixel by pixel: no new exposure, so nothing "
        "is proven of a part; scan it again",
    )


def checksum(picture: Picture) -> int:
    """Of a picture, to know it again."""
    return zlib.crc32(np.ascontiguousarray(picture).data)


def blind(planned: int, share: float, blind_max: float) -> Note | None:
    """A view that came but saw too little: no return from a `share` of the surface that its sensor
    should see there."""
    if share > blind_max:
        return Note(
            Reason.DEPTH_MISSING,
            f"view {planned}: {share:.0%} of the surface gave no return, "
            f"at most {blind_max:.0%}: is the sensor covered or dazzled?",
        )
    return None


def moved(planned: int, registered: Registered, moved_max_mm: float) -> Note | None:
    """A view that saw the part elsewhere than the views before it."""
    if registered.moved_mm > moved_max_mm:
        return Note(
            Reason.MISALIGNED,
            f"view {planned}: the part seems {registered.moved_mm:.2f} mm from where the "
            f"first views saw it, at most {moved_max_mm:.2f}: was it pushed?",
        )
    return None


def unplaced(planned: int, peak: float) -> Note | None:
    """peak: the largest score without a return. Only golden views tell where such a pixel lies."""
    if peak >= SUPPORT_SCORE:
        return Note(
            Reason.DEPTH_MISSING,
            f"view {planned}: the model scores {peak:.2f} where the sensor gave no "
            "return, and the recipe holds no golden views to place it by: export it again",
        )
    return None


def beside_grid(stray: int) -> Note | None:
    """stray: points above the table with a score over the threshold that no voxel holds."""
    if not stray:
        return None
    return Note(
        Reason.OUT_OF_GRID,
        f"{stray} measured points score over the threshold beside the recipe's grid: something "
        "stands or hangs there that the golden scan did not have; or export it with a larger grid",
    )


def dirty(specks: Sequence[Speck], block_px: int) -> Note | None:
    """Specks that stay in their place in the pictures, whatever these show. block_px: pixels of
    the camera to one of theirs."""
    for speck in specks:
        there = {each.planned for each in specks if _beside(speck.pixel, each.pixel)}
        if len(there) >= DIRT_VIEWS:
            u, v = (block_px * each for each in speck.pixel)
            return Note(
                Reason.VIEWS_DISAGREE,
                f"a speck stays at pixel ({u}, {v}) in {len(there)} views: dirt on the lens or the "
                "sensor? Clean it, inspect again",
            )
    return None


def _beside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= DIRT_PX


def missing(arrived: Collection[int], planned: int) -> Note | None:
    """Viewpoints of the plan, 0 to `planned`, that are not among the `arrived`."""
    absent = sorted(set(range(planned)) - set(arrived))
    if not absent:
        return None
    return Note(
        Reason.MISSING_VIEW,
        f"{len(absent)} of {planned} views did not come: " + ", ".join(map(str, absent)),
    )


def engine_failed(planned: int, words: object) -> Note:
    """A view that the engine lost."""
    return Note(Reason.ENGINE_FAILED, f"view {planned}: {words}")
