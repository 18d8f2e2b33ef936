"""Object-wise figures of Odd-One-Out against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.export.evaluation.metrics.objects import (
    Boxes,
    SceneObjects,
    box_iou,
    object_accuracy,
    object_auroc,
)


def _boxes(*centres: float) -> Boxes:
    return np.array([[x, 0.0, 0.0, 1.0, 1.0, 1.0] for x in centres]).reshape(-1, 6)


def _scene(odd: list[bool], found: Boxes, score: list[float]) -> SceneObjects:
    return SceneObjects(_boxes(*range(len(odd))), np.array(odd, np.bool_), found, np.array(score))


def test_overlap_of_shifted_unit_cubes() -> None:
    assert box_iou(_boxes(0.0), _boxes(0.0, 0.5, 2.0)) == pytest.approx(
        np.array([[1.0, 0.5 / 1.5, 0.0]])
    )


def test_overlap_equals_counting_random_points() -> None:
    rng = np.random.default_rng(3)
    a, b = np.concatenate([rng.uniform(-1, 1, (2, 3)), rng.uniform(1, 3, (2, 3))], axis=1)
    points = rng.uniform(-3, 3, (400_000, 3))
    in_a, in_b = (np.all(np.abs(points - box[:3]) < box[3:] / 2, axis=1) for box in (a, b))
    counted = (in_a & in_b).sum() / (in_a | in_b).sum()
    assert float(box_iou(a[None], b[None])[0, 0]) == pytest.approx(counted, abs=0.01)


def test_right_label_in_the_wrong_place_is_wrong() -> None:
    scene = _scene([True, False], _boxes(0.6, 1.0), [0.9, 0.1])
    assert object_accuracy([scene]) == 0.5


def test_scenes_count_alike_however_many_objects_they_have() -> None:
    right = _scene([True], _boxes(0.0), [0.9])
    wrong = _scene([False] * 9, _boxes(*range(9)), [0.9] * 9)
    assert object_accuracy([right, wrong]) == 0.5


def test_one_box_cannot_stand_for_two_objects() -> None:
    near = SceneObjects(_boxes(0.0, 0.1), np.array([True, True]), _boxes(0.05), np.array([0.9]))
    assert object_accuracy([near]) == 0.5


def test_auc_is_over_objects_and_a_missed_one_never_helps() -> None:
    seen = _scene([True, False, False], _boxes(0.0, 1.0, 2.0), [0.9, 0.1, 0.2])
    assert object_auroc([seen]) == 1.0
    missed = _scene([True, False, False], _boxes(1.0, 2.0), [0.1, 0.2])
    assert object_auroc([missed]) == 0.0


def test_scores_without_a_box_are_refused() -> None:
    with pytest.raises(ValueError, match="found boxes"):
        _scene([True], _boxes(0.0), [0.1, 0.2])
