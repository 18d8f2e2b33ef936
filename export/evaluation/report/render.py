"""Scores over a part as a picture: voxels seen from above and aside, the true defects outlined."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

PX_PER_VOXEL = 4
AZIMUTH_DEG, ELEVATION_DEG = 35.0, 30.0
FULL_SCORE = 2.0  # of the threshold: the hottest colour
COLD = 0.55  # of the threshold: below, the part's own grey
BACKGROUND = 255
TRUTH_COLOUR = (60, 160, 40)  # BGR
MARGIN_PX = 12


def rendered(
    ijk: npt.NDArray[np.int16],
    scores: npt.NDArray[np.float32],
    defect_ids: npt.NDArray[np.int16],
    azimuth_deg: float = AZIMUTH_DEG,
) -> Image:
    """(h, w, 3) BGR. ijk (n, 3) voxels, scores (n,) 1.0 = threshold, defect_ids (n,) 0 = sound.

    Orthographic; hidden voxels are behind. Nearer voxels are lighter; what scores is coloured.
    """
    if not len(ijk):
        return np.full((40, 40, 3), BACKGROUND, np.uint8)
    across, up, away = _seen(ijk.astype(np.float64), azimuth_deg)
    u = np.rint(across - across.min()).astype(int) + MARGIN_PX
    v = np.rint(up.max() - up).astype(int) + MARGIN_PX
    order = np.argsort(away)[::-1]  # far first: nearer ones paint over them
    shape = (int(v.max()) + MARGIN_PX + PX_PER_VOXEL, int(u.max()) + MARGIN_PX + PX_PER_VOXEL)
    picture = np.full((*shape, 3), BACKGROUND, np.uint8)
    truth = np.zeros(shape, np.uint8)
    colours = _colours(scores, away)
    for dv in range(PX_PER_VOXEL):
        for du in range(PX_PER_VOXEL):
            picture[v[order] + dv, u[order] + du] = colours[order]
            truth[v[order] + dv, u[order] + du] = defect_ids[order] > 0
    edges, _ = cv2.findContours(truth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, edges, -1, TRUTH_COLOUR, 1)
    return picture


def png(image: Image) -> bytes:
    """As a PNG file."""
    return bytes(cv2.imencode(".png", image)[1])


def _seen(
    points: npt.NDArray[np.float64], azimuth_deg: float
) -> tuple[npt.NDArray[np.float64], ...]:
    """Across, up and away, in pixels."""
    a, e = np.deg2rad([azimuth_deg, ELEVATION_DEG])
    x, y, z = points.T * PX_PER_VOXEL * 0.9  # a voxel's square covers the gaps of the rotation
    across = np.cos(a) * x + np.sin(a) * y
    deep = -np.sin(a) * x + np.cos(a) * y
    return across, np.sin(e) * deep + np.cos(e) * z, np.cos(e) * deep - np.sin(e) * z


def _colours(
    scores: npt.NDArray[np.float32], away: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    near = (away.max() - away) / max(float(np.ptp(away)), 1e-9)
    grey = (120 + 100 * near).astype(np.uint8)
    colours = np.repeat(grey[:, None], 3, axis=1)
    heat = np.clip(scores / FULL_SCORE, 0, 1)
    hot = scores >= COLD
    mapped = cv2.applyColorMap((heat * 255).astype(np.uint8)[:, None], cv2.COLORMAP_INFERNO)
    colours[hot] = (0.25 * colours[hot] + 0.75 * np.asarray(mapped)[hot, 0]).astype(np.uint8)
    return colours
