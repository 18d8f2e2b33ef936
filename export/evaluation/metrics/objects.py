"""Which object of a scene is the odd one? (Odd-One-Out, section 4.3)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.detection import auroc

IOU_LIMIT = 0.5
Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SceneObjects:
    """One scene: what is true and what was found. Boxes (n, 6) axis-aligned: centre, size.

    odd (n,) bool; found (m, 6); score (m,) chance that a found object is odd, 0..1.
    """

    boxes: Boxes
    odd: npt.NDArray[np.bool_]
    found: Boxes
    score: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.odd), 6) or self.found.shape != (len(self.score), 6):
            raise ValueError(
                f"expected boxes (n, 6) with n labels and found boxes (m, 6) with m scores, got "
                f"{self.boxes.shape}, {self.odd.shape}, {self.found.shape}, {self.score.shape}"
            )
        if not all(np.isfinite(each).all() for each in (self.boxes, self.found, self.score)):
            raise ValueError("expected finite boxes and scores, got NaN or infinity")


def object_accuracy(scenes: Sequence[SceneObjects], threshold: float = 0.5) -> float:
    """Share of the objects whose box was found (IoU > 0.5) and whose label is right.

    "Calculated object-wise and then averaged across all test scenes": a scene's share first, then
    the mean. Source: Odd-One-Out, section 4.3. Raises ValueError without a scene.
    """
    shares = [_right(scene, threshold).mean() for scene in scenes if len(scene.odd)]
    if not shares:
        raise ValueError("expected at least one scene with an object, got none")
    return float(np.mean(shares))


def object_auroc(scenes: Sequence[SceneObjects]) -> float:
    """AUC over the objects of all scenes whose box was found.

    Pooled: a scene of one kind has no AUC of its own. An object that nobody found counts as
    wrong for certain: the odd one with the least score, the normal one with the most. Source:
    Odd-One-Out, section 4.3, which does not say how a miss counts in the AUC.
    """
    return auroc(
        np.concatenate([_scores(scene) for scene in scenes]),
        np.concatenate([scene.odd for scene in scenes]),
    )


def box_iou(a: Boxes, b: Boxes) -> Boxes:
    """Intersection over union (n, m) of axis-aligned boxes (n, 6), (m, 6): centre, size."""
    low = np.maximum(a[:, None, :3] - a[:, None, 3:] / 2, b[None, :, :3] - b[None, :, 3:] / 2)
    high = np.minimum(a[:, None, :3] + a[:, None, 3:] / 2, b[None, :, :3] + b[None, :, 3:] / 2)
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    union = np.prod(a[:, None, 3:], axis=-1) + np.prod(b[None, :, 3:], axis=-1) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)


def matches(scene: SceneObjects) -> npt.NDArray[np.intp]:
    """(n,) which found box belongs to each object, -1 for none; best overlaps first, each once."""
    matched = np.full(len(scene.boxes), -1, np.intp)
    overlap = box_iou(scene.boxes, scene.found)
    while overlap.size and overlap.max() > IOU_LIMIT:
        true, found = np.unravel_index(int(overlap.argmax()), overlap.shape)
        matched[true] = found
        overlap[true, :] = overlap[:, found] = 0.0
    return matched


def _right(scene: SceneObjects, threshold: float) -> npt.NDArray[np.bool_]:
    matched = matches(scene)
    seen = matched >= 0
    right = np.zeros(len(matched), np.bool_)
    right[seen] = (scene.score[matched[seen]] >= threshold) == scene.odd[seen]
    return right


def _scores(scene: SceneObjects) -> npt.NDArray[np.float64]:
    matched = matches(scene)
    missed = np.where(scene.odd, -np.inf, np.inf)
    scores = np.where(
        matched >= 0, scene.score[np.maximum(matched, 0)] if len(scene.score) else 0.0, missed
    )
    return np.clip(scores, -1.0, 2.0)  # beyond every chance, yet finite
