"""Trays are counted right that were told wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.kits.tray_of_parts import Box, Part, Tray, regular, with_box, write
from voxgate.benchmarks.quality.scenes import measure, scenes_in
from voxgate.runtime.common.crew import Crew

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # by day, the verdict on a tray

HALF = np.array([30, 20])  # of the part's plate
HEIGHT_MM = 32.0


def box_of(part: Part) -> list[list[float]]:
    """The world's box around the plate and the tower."""
    turn = np.abs(part.world_from_part()[:2, :2])
    reach = turn @ HALF
    low, high = [part.x - reach[0], part.y - reach[1]], [part.x + reach[0], part.y + reach[1]]
    return [[*low, 0.0], [*high, HEIGHT_MM]]


def test_who_is_told_wrong_and_who_stands_elsewhere_is_not_right(tmp_path: Path) -> None:
    parts = regular(4)
    parts[3] = with_box(parts[3], Box((5, -8, 12), (4, 4, 3)))
    folder = write(Tray(parts), tmp_path / "tray")
    truth = [{"odd": number in (0, 3), "box_mm": box_of(part)} for number, part in enumerate(parts)]
    truth[1]["box_mm"] = (np.array(box_of(parts[1])) + 40).tolist()  # it does not stand there
    (folder / "truth.json").write_text(json.dumps({"instances": truth}))
    assert scenes_in(tmp_path) == [folder]
    with Crew(1) as crew:
        told = measure(folder, crew)
    assert told.iou[[0, 2, 3]].min() > 0.85
    assert told.said[1:] == (None, False, True)
    assert told.right == 2  # the first is regular, whatever its truth says
    assert told.more == 1
