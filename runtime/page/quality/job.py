"""One job for a browser: what was decided and why, its views, its volume as points."""

from __future__ import annotations

import json
from collections import Counter

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError, VoxGateError
from voxgate.runtime.nouns import Reason
from voxgate.runtime.page.quality.archive import Archive
from voxgate.runtime.remote.marks import marks_in
from voxgate.runtime.report.recorded_views import RecordedViews
from voxgate.runtime.report.view_picture import LARGEST_PX, in_bgr, jpeg
from voxgate.runtime.wire.verdict import VerdictMessage

MOST_POINTS = 2_000_000  # 32 MB to a browser


def job(archive: Archive, job_id: str) -> dict[str, object]:
    """Everything but pictures and points. Raises ServiceError."""
    verdict = archive.verdict(job_id)
    views, why_none = _views(archive, job_id)
    mark = marks_in(archive.marks).get(job_id)
    return {
        "job_id": job_id,
        "cell": archive.config.cell,
        "verdict": None if verdict is None else json.loads(verdict.to_json()),
        "reasons": [] if verdict is None else _reasons(verdict),
        "views": [] if views is None else [_view(views, at) for at in range(len(views.seen))],
        "has_volume": views is not None and views.scored is not None,
        "voxel_mm": None if views is None else views.voxel_mm,
        "why_none": why_none,
        "mark": None if mark is None else json.loads(mark.model_dump_json()),
        "recipes": archive.recipes(),
    }


def seen_picture(archive: Archive, job_id: str, number: int) -> bytes:
    """JPEG of one view with its heat. Raises ScanError when there is no such view."""
    views = archive.views(job_id)
    if number >= len(views.seen):
        raise ScanError(f"{job_id}: has {len(views.seen)} views")
    return jpeg(views.picture(views.seen[number]))


def golden_picture(archive: Archive, job_id: str, number: int) -> bytes:
    """JPEG of the golden view that it was held against. Raises ScanError, RecipeError."""
    views = archive.views(job_id)
    view = views.seen[number] if number < len(views.seen) else None
    if view is None or view.planned is None or views.verdict is None:
        raise ScanError(f"{job_id}: view {number} is of no planned viewpoint")
    planned = view.planned
    images = archive.golden(views.verdict).images.get(view.frame.camera, ())
    if planned >= len(images):
        raise ScanError(f"{views.verdict.recipe}: keeps no golden views")
    return jpeg(_small(in_bgr(images[planned])))


def volume(archive: Archive, job_id: str) -> bytes:
    """Two counts (uint32 n, m), then float32: n of x, y, z, score, then m of x, y, z; mm, part
    frame, little-endian. n measured voxels, m of the golden surface, none where the recipe is gone.

    Raises ScanError where no volume was recorded.
    """
    views = archive.views(job_id)
    if views.scored is None:
        raise ScanError(f"{job_id}: no volume was recorded")
    points = np.column_stack([views.scored.points_mm, views.scored.score])[:MOST_POINTS]
    surface = _surface(archive, views)[:MOST_POINTS]
    counts = np.array([len(points), len(surface)], "<u4")
    return counts.tobytes() + points.astype("<f4").tobytes() + surface.astype("<f4").tobytes()


def _surface(archive: Archive, views: RecordedViews) -> npt.NDArray[np.float64]:
    try:
        if views.verdict is not None:
            return archive.golden(views.verdict).points_mm
    except VoxGateError:
        pass  # the part is shown without it
    return np.empty((0, 3))


def _views(archive: Archive, job_id: str) -> tuple[RecordedViews | None, str]:
    """And why there are none."""
    try:
        views = archive.views(job_id)
    except VoxGateError as error:
        return None, str(error)
    return views, "" if views.seen else "the recording has no pictures"


def _view(views: RecordedViews, number: int) -> dict[str, object]:
    view = views.seen[number]
    return {"caption": view.caption, "planned": view.planned, "peak_score": view.peak_score}


def _reasons(verdict: VerdictMessage) -> list[dict[str, object]]:
    """Each once; those that are defects stand in their own table."""
    others = (each for each in verdict.reasons if each.reason is not Reason.DEFECT)
    told = Counter((r.reason, r.detail) for r in (others if verdict.defects else verdict.reasons))
    return [
        {"reason": reason.value, "detail": detail, "times": times}
        for (reason, detail), times in told.items()
    ]


def _small(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    scale = LARGEST_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
