"""Where in the picture? PRO and AUROC over pixels (MVTec 3D-AD section 3.3, PAD supplement 5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.detection import auroc
from voxgate.export.evaluation.metrics.sweep import Census, Curve, sweep

FPR_LIMIT = 0.3  # "no larger than 0.3" (MVTec 3D-AD, section 3.3)
LIMITS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # for the curve of its figure 6

ScorePlane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """score (h, w) float32, finite; defect (h, w) bool, the annotated anomaly.

    part: (h, w) bool, pixels of the object when a segmentation tells them; None: unknown.
    """

    score: ScorePlane
    defect: Mask
    part: Mask | None = None

    def __post_init__(self) -> None:
        masks = [self.defect, *([] if self.part is None else [self.part])]
        if self.score.ndim != 2 or any(mask.shape != self.score.shape for mask in masks):
            shapes = [self.score.shape, *(mask.shape for mask in masks)]
            raise ValueError(f"expected score and masks of one shape (h, w), got {shapes}")
        if not np.isfinite(self.score).all():
            raise ValueError("expected finite scores, got NaN or infinity")


def pixel_pro_curve(pictures: Sequence[LabelledPicture], limit: float = 1.0) -> Curve:
    """False positive rate against mean relative overlap of the 8-connected annotated regions.

    Every pixel counts, also where the sensor had no return. The pictures are passed through twice
    and may be read from disk each time. Source: MVTec 3D-AD, section 3.3,
    equation 1. Raises ValueError without an annotated region or without a sound pixel.
    """
    regions, census = 0, Census()
    for picture in pictures:
        regions += _regions(picture.defect)[0]
        census.add(picture.score.ravel(), picture.defect.ravel().astype(np.int16))
    if regions == 0:
        raise ValueError("expected at least one annotated region, got none")
    cutoff = census.cutoff(limit)
    kept = [_above(picture, cutoff) for picture in pictures]
    scores, sound, gains = (np.concatenate(column) for column in zip(*kept, strict=True))
    return sweep(scores, sound, gains / regions, census.total).of_shares()


def pixel_aupro(pictures: Sequence[LabelledPicture], fpr_limit: float = FPR_LIMIT) -> float:
    """AU-PRO in [0, 1]: area under the PRO curve up to `fpr_limit`, over `fpr_limit`.

    Straight lines join the reachable rates, as in the published evaluation code and anomalib.
    Source: MVTec 3D-AD, section 3.3.
    """
    return pixel_pro_curve(pictures, fpr_limit).area(fpr_limit, "linear")


def aupro_over_limits(
    pictures: Sequence[LabelledPicture], limits: Iterable[float] = LIMITS
) -> dict[float, float]:
    """AU-PRO at several integration limits, from one sweep. Source: MVTec 3D-AD, figure 6."""
    wanted = list(limits)
    curve = pixel_pro_curve(pictures, max(wanted))
    return {limit: curve.area(limit, "linear") for limit in wanted}


def pixel_auroc(pictures: Sequence[LabelledPicture]) -> float:
    """AUROC over all pixels of all pictures. Source: PAD, section 5 (Pixel-AUROC)."""
    return auroc(
        np.concatenate([picture.score.ravel() for picture in pictures]),
        np.concatenate([picture.defect.ravel() for picture in pictures]),
    )


def segmentation_pixel_auroc(pictures: Sequence[LabelledPicture]) -> float:
    """AUROC over the pixels inside each object's bounding box, background cut away.

    Source: PAD supplement, section 5.4. A picture whose object is not segmented counts whole.
    """
    boxes = [_object_box(picture) for picture in pictures]
    return auroc(
        np.concatenate([p.score[box].ravel() for p, box in zip(pictures, boxes, strict=True)]),
        np.concatenate([p.defect[box].ravel() for p, box in zip(pictures, boxes, strict=True)]),
    )


def _regions(defect: Mask) -> tuple[int, npt.NDArray[np.int32]]:
    """Number of 8-connected regions, and 0 or the region of every pixel."""
    count, labels = cv2.connectedComponents(defect.astype(np.uint8), connectivity=8)
    return count - 1, np.asarray(labels, np.int32)


def _above(
    picture: LabelledPicture, cutoff: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Scores, soundness and overlap shares of the pixels at or above the cutoff."""
    at = np.flatnonzero(picture.score.ravel() >= cutoff)
    _, labels = _regions(picture.defect)
    share = 1.0 / np.maximum(np.bincount(labels.ravel()), 1)
    share[0] = 0.0
    own = labels.ravel()[at]
    return picture.score.ravel()[at], own == 0, share[own]


def _object_box(picture: LabelledPicture) -> tuple[slice, slice]:
    if picture.part is None or not picture.part.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(picture.part.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
