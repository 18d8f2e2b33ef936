"""The robot reaches for an odd part where it does not stand, or an unproven tray passes."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.nouns import Note, Outcome, Reason, Verdict
from voxgate.runtime.trays.scene_verdict import Judged, Oddity, SceneVerdict
from voxgate.runtime.trays.told import verdict_on
from voxgate.runtime.trays.tray import Instance

QUARTER_TURN = np.array([[0.0, -1, 0, 100], [1, 0, 0, 200], [0, 0, 1, 300], [0, 0, 0, 1]])
NOTHING = np.zeros((0, 3), np.float32), np.zeros(0, np.int32)


def judged(number: int, score: float | None, x_mm: float = 0.0) -> Judged:
    box = np.array([[x_mm, 10.0, 0.0], [x_mm + 20, 14.0, 6.0]])
    oddity = Oddity(box.mean(axis=0), box, 2.0, deviation_mm=-0.4)
    instance = Instance(number, box, *NOTHING, 80.0, (0, 1))
    return Judged(number, instance, score, (oddity,) if (score or 0) >= 1 else ())


def verdict(*each: Judged, against: tuple[Note, ...] = ()) -> Verdict:
    return verdict_on(SceneVerdict(Outcome.PASS, (), each), against, (), QUARTER_TURN)


def test_the_place_in_the_base_is_that_in_the_part() -> None:
    odd = verdict(judged(1, 0.5), judged(2, 0.5, 50), judged(3, 2.0, 100)).instances[2]
    assert odd.centre_part_mm == (110, 12, 3)
    assert odd.centre_base_mm == pytest.approx((100 - 12, 200 + 110, 303))
    assert odd.box_base_mm[0] == pytest.approx((100 - 14, 200 + 100, 300))
    assert odd.box_base_mm[1] == pytest.approx((100 - 10, 200 + 120, 306))
    assert odd.oddities[0].centre_base_mm == pytest.approx((88, 310, 303))


@pytest.mark.parametrize(
    ("scores", "notes", "outcome"),
    [
        ((0.5, 0.4, 0.3), (), Outcome.PASS),
        ((0.5, 1.0, 0.3), (), Outcome.FAIL),
        ((0.5, 0.4, 0.3), (Note(Reason.MISSING_VIEW, "one"),), Outcome.INDETERMINATE),
        ((0.5, 2.0, 0.3), (Note(Reason.MISSING_VIEW, "one"),), Outcome.INDETERMINATE),
        ((0.5, None, 0.3), (), Outcome.INDETERMINATE),
        ((), (), Outcome.INDETERMINATE),
    ],
)
def test_a_tray_that_is_not_proven_passes(
    scores: tuple[float | None, ...], notes: tuple[Note, ...], outcome: Outcome
) -> None:
    found = verdict(*(judged(n, each) for n, each in enumerate(scores, 1)), against=notes)
    assert found.outcome is outcome
