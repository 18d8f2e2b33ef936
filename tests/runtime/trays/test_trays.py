"""A tray is told wrong: rows of what stands on it and what goes wrong, and what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.kits.tray_of_parts import (
    BLUE,
    RED,
    TONE,
    Box,
    Mark,
    Part,
    Tray,
    regular,
    with_box,
    with_mark,
    without,
    write,
)
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.report.tray_words import rows
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.trays.judge import judge
from voxgate.runtime.trays.scene_verdict import SceneVerdict

FIVE = regular(5)
BUMP = Box((5, -8, 12), (4, 4, 3))
PIN = Box((14, -12, 15), (2.5, 2.5, 5))
LONG_PIN, SHORT_PIN = Box((14, -12, 17), (1.8, 1.8, 7)), Box((14, -12, 14), (1.8, 1.8, 4))
ANGLE = (Box((0, 0, 6), (35, 12, 6)), Box((-25, 14, 6), (10, 20, 6)))
RACK = (
    Box((0, 0, 4), (35, 25, 4)),
    *(Box((x, y, 16), (3, 3, 9)) for x in (-30, 30) for y in (-20, 20)),
    *(Box((x, 0, 26), (1, 22, 1)) for x in range(-27, 31, 9)),
)
"""Its rungs are a pixel wide."""
SPECK = Mark(Box((12, -10, 10), (1.8, 1.8, 1)), 30)
TINT = Mark(Box((12, -10, 10), (4, 4, 1)), TONE, BLUE)
RED_PRINT = Mark(Box((0, -12, 10), (8, 4, 1)), TONE, RED)
DARK = Mark(Box((0, 0, 20), (40, 40, 40)), 100)
STAIN = Mark(Box((12, -10, 10), (4, 4, 1)), 75)
PRINT = (Mark(Box((5, -10, 10), (6, 2, 1)), 60), Mark(Box((-16, -12, 22), (5, 1, 5)), 230))
LINE = Mark(Box((0, -4, 12), (12, 2, 1)), 70)
PRINTED = [with_mark(part, *PRINT) for part in FIVE]


def bumpy(part: Part) -> Part:
    """With a block of 8 mm that is 5 mm high."""
    return with_box(part, BUMP)


@dataclass(frozen=True)
class Row:
    """odd: numbers, in the order of `tray.parts`; None: whoever, it is not PASS."""

    name: str
    tray: Tray
    outcome: Outcome
    reasons: Sequence[Reason] = ()
    odd: tuple[int, ...] | None = ()


BY_DAY = [
    Row("four regular parts", Tray(FIVE[:4]), Outcome.PASS),
    Row(
        "a view from elsewhere",
        Tray(FIVE[:4], wrong_pose=(4, 8.0)),
        Outcome.INDETERMINATE,
        [Reason.VIEWS_DISAGREE],
        None,
    ),
    Row(
        "something on one",
        Tray([*FIVE[:3], bumpy(FIVE[3])]),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "a stain without height",
        Tray([*FIVE[:3], with_mark(FIVE[3], STAIN)], seed=8),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "a pin two pixels thick is six millimetres too short",
        Tray([*(with_box(part, LONG_PIN) for part in FIVE[:3]), with_box(FIVE[3], SHORT_PIN)]),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "one of another hue and the same grey",
        Tray([*FIVE[:3], replace(FIVE[3], hue=BLUE)], grey=()),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row("one instance alone", Tray(FIVE[:1]), Outcome.INDETERMINATE, [Reason.TOO_FEW], None),
]
AT_NIGHT = [
    Row(
        "four regular parts with rungs of a pixel",
        Tray([replace(part, boxes=RACK) for part in FIVE[:4]], seed=5),
        Outcome.INDETERMINATE,
        [Reason.COVERAGE],
    ),
    Row("five regular parts in colour", Tray(FIVE, seed=2, grey=()), Outcome.PASS),
    Row(
        "a spot of another hue and the same grey",
        Tray([*FIVE[:3], with_mark(FIVE[3], TINT)], seed=8, grey=()),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "a print of another hue on one",
        Tray(
            [
                *(with_mark(part, RED_PRINT) for part in FIVE[:3]),
                with_mark(FIVE[3], replace(RED_PRINT, hue=BLUE)),
            ],
            grey=(),
        ),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "two of one hue and two of another",
        Tray([*FIVE[:2], *(replace(part, hue=BLUE) for part in FIVE[2:4])], grey=()),
        Outcome.INDETERMINATE,
        [Reason.NO_MAJORITY],
        None,
    ),
    Row(
        "two of five are of another hue",
        Tray([*FIVE[:3], *(replace(part, hue=BLUE) for part in FIVE[3:])], grey=()),
        Outcome.FAIL,
        [Reason.ODD],
        (3, 4),
    ),
    Row(
        "two of four are darker all over",
        Tray([*FIVE[:2], *(with_mark(part, DARK) for part in FIVE[2:4])]),
        Outcome.INDETERMINATE,
        [Reason.NO_MAJORITY],
        None,
    ),
    Row(
        "two pictures have no colour",
        Tray(FIVE[:4], grey=(2, 7)),
        Outcome.INDETERMINATE,
        [Reason.FRAME_INVALID],
        (),
    ),
    Row("three regular parts", Tray(FIVE[:3]), Outcome.PASS),
    Row("five regular parts", Tray(FIVE, seed=2), Outcome.PASS),
    Row(
        "five printed parts of another shape",
        Tray([with_mark(replace(part, boxes=ANGLE), LINE) for part in FIVE], seed=6),
        Outcome.PASS,
    ),
    Row(
        "something on one, seen through a lens that bends",
        Tray([*FIVE[:3], bumpy(FIVE[3])], distortion=(-0.2, 0.05, 0.001, -0.001, 0.0)),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "a dark speck of two pixels",
        Tray([*FIVE[:3], with_mark(FIVE[3], SPECK)], seed=8),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row("four printed parts", Tray(PRINTED[:4], seed=3), Outcome.PASS),
    Row(
        "one of the prints is missing",
        Tray([PRINTED[0], with_mark(FIVE[1], PRINT[1]), *PRINTED[2:]], seed=10),
        Outcome.FAIL,
        [Reason.ODD],
        (1,),
    ),
    Row(
        "two of five are stained alike",
        Tray([with_mark(PRINTED[0], STAIN), with_mark(PRINTED[1], STAIN), *PRINTED[2:]], seed=12),
        Outcome.FAIL,
        [Reason.ODD],
        (0, 1),
    ),
    Row(
        "the light casts hard shadows",
        Tray(PRINTED, shadows=True, seed=4),
        Outcome.INDETERMINATE,
        [Reason.COVERAGE],
        None,
    ),
    Row(
        "the light is off",
        Tray(FIVE[:4], brightness=0.02),
        Outcome.INDETERMINATE,
        [Reason.COVERAGE],
        None,
    ),
    Row(
        "a knob is missing",
        Tray([FIVE[0], without(FIVE[1], 2), *FIVE[2:4]]),
        Outcome.FAIL,
        [Reason.ODD],
        (1,),
    ),
    Row(
        "a thin pin is missing",
        Tray([*(with_box(part, PIN) for part in FIVE[:3]), FIVE[3]]),
        Outcome.FAIL,
        [Reason.ODD],
        (3,),
    ),
    Row(
        "two of five are odd alike",
        Tray([bumpy(FIVE[0]), bumpy(FIVE[1]), *FIVE[2:]]),
        Outcome.FAIL,
        [Reason.ODD],
        (0, 1),
    ),
    Row(
        "one moved between the views",
        Tray(FIVE[:4], moved=(1, 6, 6.0)),
        Outcome.INDETERMINATE,
        [Reason.MOVED],
        None,
    ),
    Row(
        "one was put elsewhere after its place was found",
        Tray(FIVE[:4], moved=(1, 9, -60.0)),
        Outcome.INDETERMINATE,
        [],
        None,
    ),
    Row(
        "two touch",
        Tray([*FIVE[:3], Part(70, 75, 300), Part(76, 118, 10)]),
        Outcome.INDETERMINATE,
        [Reason.TOUCHING],
        None,
    ),
    Row(
        "one is half out of sight",
        Tray([*FIVE[:3], Part(125, 95, 300)], aim=(-45, -30)),
        Outcome.INDETERMINATE,
        [Reason.COVERAGE],
        None,
    ),
    Row(
        "all are odd",
        Tray(
            [bumpy(FIVE[0]), without(FIVE[1], 2), with_box(FIVE[2], Box((-20, 0, 35), (4, 4, 3)))]
        ),
        Outcome.INDETERMINATE,
        [Reason.NO_MAJORITY],
        None,
    ),
    Row(
        "one lies upside down",
        Tray([*FIVE[:3], Part(70, 75, 300, upside_down=True)]),
        Outcome.INDETERMINATE,
        [Reason.ODD, Reason.TURNED_OVER],
        (3,),
    ),
    Row(
        "a flat one lies upside down",
        Tray([*(replace(part, boxes=ANGLE) for part in FIVE[:3]), Part(70, 75, 300, ANGLE, True)]),
        Outcome.INDETERMINATE,
        [Reason.ODD, Reason.TURNED_OVER],
        (3,),
    ),
    Row(
        "all views are from one side",
        Tray([replace(part, degrees=30) for part in FIVE[:4]], around_deg=150),
        Outcome.INDETERMINATE,
        [Reason.MISSING_VIEW],
        None,
    ),
    Row(
        "a view was sent again",
        Tray(FIVE[:4], views=6, sent_again=2),
        Outcome.INDETERMINATE,
        [Reason.DUPLICATE_VIEW],
        None,
    ),
    Row(
        "views are missing",
        Tray(FIVE[:4], views=5),
        Outcome.INDETERMINATE,
        [Reason.MISSING_VIEW],
        None,
    ),
]
ROWS = [
    *(pytest.param(row, id=row.name.replace(" ", "-")) for row in BY_DAY),
    *(
        pytest.param(row, id=row.name.replace(" ", "-"), marks=pytest.mark.nightly)
        for row in AT_NIGHT
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_a_tray_is_told_wrong(row: Row) -> None:
    verdict = _verdict(row.name)
    assert verdict.outcome is row.outcome, [each.detail for each in verdict.doubts]
    assert set(row.reasons) <= set(verdict.reasons)
    turned = Reason.TURNED_OVER
    assert (turned in row.reasons) == (turned in verdict.reasons)
    if row.odd is not None:
        assert _odd(verdict, row.tray) == set(row.odd)


@pytest.mark.slow
def test_an_odd_part_is_found_and_the_place_where_it_differs_is_not() -> None:
    verdict = _verdict("something on one")
    pose = FIVE[3].world_from_part()
    expected = pose[:3, :3] @ BUMP.centre + pose[:3, 3]
    odd = next(each for each in verdict.judged if each.odd)
    assert (odd.oddities[0].deviation_mm or 0) > 1
    assert np.linalg.norm(odd.oddities[0].centre_mm - expected) < 6
    assert ((odd.instance.box_mm[0] < expected) & (odd.instance.box_mm[1] > expected)).all()


@pytest.mark.slow
@pytest.mark.nightly
def test_a_stain_is_found_and_told_as_a_bump(tmp_path: Path) -> None:
    tray = Tray([*FIVE[:3], with_mark(FIVE[3], STAIN)])
    with Crew(1) as crew:
        verdict = judge(open_scene(write(tray, tmp_path / "tray")), crew)
    worst = next(each for each in verdict.judged if each.odd).oddities[0]
    pose = tray.parts[3].world_from_part()
    expected = pose[:3, :3] @ STAIN.where.centre + pose[:3, 3]
    assert worst.deviation_mm is None
    assert -0.6 < (worst.brighter or 0) < -0.25
    assert np.linalg.norm(worst.centre_mm - expected) < 4
    assert "darker at" in "".join(row[3] for row in rows(verdict))


def test_a_part_of_another_hue_is_told_as_another_shape(tmp_path: Path) -> None:
    verdict = _verdict("one of another hue and the same grey")
    assert "of another hue at" in "".join(row[3] for row in rows(verdict))


@cache
def _verdict(name: str) -> SceneVerdict:
    """What a row's tray comes to."""
    (tray,) = (row.tray for row in (*BY_DAY, *AT_NIGHT) if row.name == name)
    with TemporaryDirectory() as folder, Crew(1) as crew:
        return judge(open_scene(write(tray, Path(folder) / "tray")), crew)


def _odd(verdict: SceneVerdict, tray: Tray) -> set[int]:
    """Indices of the parts that stand where an odd instance was found."""
    places = np.array([(part.x, part.y) for part in tray.parts])
    found = [each.instance.box_mm.mean(axis=0)[:2] for each in verdict.judged if each.odd]
    return {int(np.linalg.norm(places - at, axis=1).argmin()) for at in found}
