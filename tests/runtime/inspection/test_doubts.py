"""Every fact against a view or a scan becomes a note; what is within its limit does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.inspection import doubts
from voxgate.runtime.nouns import Note, Reason, View

SHAPE = (4, 5)
VIEW = View(7, np.zeros(SHAPE, np.uint8), np.eye(4), 0.2, np.full(SHAPE, 100.0, np.float32))


def registered(**facts: Any) -> Registered:
    plane, none = np.zeros(SHAPE, np.float32), np.zeros((0, 3), np.float32)
    known = Registered(
        reference=VIEW.image,
        gloss=VIEW.image,
        deviation_mm=plane,
        geometry=plane,
        vanished_mm=none,
        vanished_score=none[:, 0],
        behind_mm=none,
        lost_mm=none,
        lost=np.zeros(SHAPE, np.bool_),
        lost_weight=none[:, 0],
        blind=0.05,
        moved_mm=0.1,
        unknown_mm2=0.0,
        pixel_mm=0.5,
    )
    return replace(known, **facts)


def reason(note: Note | None) -> Reason | None:
    return None if note is None else note.reason


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (VIEW, None),
        (replace(VIEW, uncertainty_mm=0.31), Reason.POSE_UNCERTAIN),
        (
            replace(VIEW, image=np.zeros((3, 5), np.uint8), depth_mm=np.ones((3, 5), np.float32)),
            Reason.FRAME_INVALID,
        ),
        (replace(VIEW, depth_mm=None), Reason.DEPTH_MISSING),
    ],
)
def test_a_view_that_proves_nothing_is_inspected(view: View, why: Reason | None) -> None:
    assert reason(doubts.unusable(view, SHAPE, 0.3)) is why


def test_a_viewpoint_counts_twice() -> None:
    assert doubts.duplicate(2, VIEW, {0, 1}) is None
    assert reason(doubts.duplicate(2, VIEW, {0, 2})) is Reason.DUPLICATE_VIEW


@pytest.mark.parametrize(("blind", "why"), [(0.1, None), (0.11, Reason.DEPTH_MISSING)])
def test_a_view_that_saw_too_little_is_a_proof(blind: float, why: Reason | None) -> None:
    assert reason(doubts.blind(3, blind, 0.1)) is why


def test_a_part_that_was_pushed_between_two_views_goes_unnoticed() -> None:
    assert doubts.moved(3, registered(moved_mm=0.5), 0.5) is None
    assert reason(doubts.moved(3, registered(moved_mm=0.51), 0.5)) is Reason.MISALIGNED


def test_a_score_that_nothing_places_is_forgotten() -> None:
    assert doubts.unplaced(3, 0.99) is None
    assert reason(doubts.unplaced(3, 1.0)) is Reason.DEPTH_MISSING


def test_a_view_that_did_not_come_is_forgotten() -> None:
    assert doubts.missing({0, 1, 2}, 3) is None
    note = doubts.missing({1}, 3)
    assert note is not None
    assert note.reason is Reason.MISSING_VIEW
    assert note.detail == "2 of 3 views did not come: 0, 2"


def test_a_score_that_no_voxel_holds_is_a_doubt() -> None:
    assert doubts.beside_grid(0) is None
    assert reason(doubts.beside_grid(1)) is Reason.OUT_OF_GRID


def test_a_picture_that_was_shown_before_is_no_new_exposure() -> None:
    other = replace(VIEW, frame_id=8, image=VIEW.image + np.uint8(1))
    shown = {doubts.checksum(VIEW.image): VIEW.frame_id}
    assert doubts.repeated(other, shown) is None
    note = doubts.repeated(replace(VIEW, frame_id=9), shown)
    assert note is not None
    assert note.reason is Reason.DUPLICATE_VIEW
    assert "frame 7" in note.detail


def test_the_golden_scans_own_pictures_prove_nothing() -> None:
    assert doubts.golden_again(0) is None
    assert reason(doubts.golden_again(12)) is Reason.DUPLICATE_VIEW
