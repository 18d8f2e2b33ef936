"""How a recipe bears grained faces: it compares with their mean, and lets them stray from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.packing.package import RecipeParts
from voxgate.export.reference.filter_bank import UNSTEADY
from voxgate.export.reference.grain import Grain, Grained
from voxgate.runtime.pixels.colour import grey_and_colour

# A tolerance, of the grain's rms. No place of a grain strays from its mean by more than some three
# times that: it scores two thirds of the threshold, for that is five tolerances.
STRAYS = 0.6
# Where something else crosses the grain the golden picture stays, and its own grain with it.
STRAYS_BOTH = 1.0
REACH_PX = 7  # the edge of a face is grained, too
FADE_PX = 2.0  # sigma, from the picture to the mean
BYTE_MAX = 255.0

FloatMap = npt.NDArray[np.float32]


def borne(parts: RecipeParts, grained: Grained | None) -> RecipeParts:
    """The recipe that compares with the means of grained faces, with more tolerance there."""
    reference = parts.reference
    if grained is None or reference is None:
        return parts
    gloss = [_gloss(*each) for each in zip(reference.gloss, grained.views, strict=True)]
    evened = [_evened(*each) for each in zip(reference.image, grained.views, strict=True)]
    record = _record(grained, float(parts.threshold["full_scale_tolerances"]))
    return replace(
        parts,
        reference=replace(reference, gloss=np.stack(gloss), evened=np.stack(evened)),
        threshold={**parts.threshold, "grain": record},
    )


def words_of(record: Mapping[str, Any] | None) -> list[str]:
    """For whoever exports: a line, or none."""
    if record is None:
        return []
    return [
        f"grained all over: {record['part_share']:.0%} of the part, some {record['wide_mm']:g} mm "
        f"wide and {record['grey']:g} grey levels strong ({record['grey_share']:.0%}): one scan "
        f"tells such a grain from marks by their strength alone, and what is less than "
        f"{record['hides_grey']:.0f} grey levels off its mean passes there"
    ]


def _gloss(flicker: npt.NDArray[np.uint8], grain: Grain) -> npt.NDArray[np.uint8]:
    beside = cv2.dilate(grain.grey, np.ones((REACH_PX, REACH_PX), np.uint8))
    grey = np.where(grain.alike, STRAYS * grain.grey, STRAYS_BOTH * beside)
    both = np.hypot(flicker.astype(np.float32), grey / UNSTEADY)
    return np.minimum(np.rint(both), BYTE_MAX).astype(np.uint8)


def _evened(picture: npt.NDArray[np.uint8], grain: Grain) -> npt.NDArray[np.uint8]:
    """The mean where nothing but grain is, the picture towards what else is there, 0 elsewhere."""
    inside = cv2.erode(grain.alike.astype(np.float32), np.ones((3, 3), np.uint8))
    share = cv2.GaussianBlur(inside, (0, 0), FADE_PX) * grain.alike
    away = share * (grain.mean - grey_and_colour(picture)[0])
    planes = grain.alike.shape + (1,) * (picture.ndim - 2)  # its hue stays
    mixed = np.clip(np.rint(picture + away.reshape(planes)), 1, BYTE_MAX)
    return np.where(grain.alike.reshape(planes), mixed, 0).astype(np.uint8)


def _record(grained: Grained, full_scale: float) -> dict[str, float]:
    """For threshold.json. full_scale: tolerances that score 1."""
    return {
        "part_share": round(grained.part_share, 3),
        "wide_mm": round(grained.wide_mm, 1),
        "grey": round(grained.grey, 1),
        "grey_share": round(grained.grey_share, 3),
        "hides_grey": round(full_scale * STRAYS * grained.grey, 1),
    }
