"""A tray of parts on the whole line: a recipe of trays, real sockets, one verdict for all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.kits import virtual
from tests.kits.cell_kit import CLOCK_REASONS
from tests.kits.tray_of_parts import BLUE, Part, Tray, regular, with_box, without, write
from tests.kits.tray_of_parts import Box as Block
from voxgate.export.reference.neighbours import export_neighbours
from voxgate.runtime.nouns import Reason
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.report.job_report import report
from voxgate.runtime.scans.posed_scan import scene_as_scan
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

pytestmark = pytest.mark.nightly  # by day without a line: tests/runtime/trays

SPEED = 4.0
PATIENCE_S = 180.0
FOUR = regular(4)
BUMP = Block((5, -8, 12), (4, 4, 3))
BUMPY = with_box(FOUR[3], BUMP)


@dataclass(frozen=True)
class Row:
    """What is never PASS, and why not."""

    name: str
    tray: Tray
    reason: Reason


ROWS = [
    Row("a view is from elsewhere", Tray(FOUR, wrong_pose=(4, 8.0)), Reason.VIEWS_DISAGREE),
    Row("one moved between views", Tray(FOUR, moved=(1, 6, 6.0)), Reason.MOVED),
    Row(
        "two touch",
        Tray([*FOUR[:3], Part(70, 75, 300), Part(76, 118, 10)]),
        Reason.TOUCHING,
    ),
    Row(
        "one is half out of sight",
        Tray([*FOUR[:3], Part(170, 125, 300)]),
        Reason.COVERAGE,
    ),
    Row(
        "all are odd",
        Tray(
            [
                with_box(FOUR[0], BUMP),
                without(FOUR[1], 2),
                with_box(FOUR[2], Block((-20, 0, 35), (4, 4, 3))),
            ]
        ),
        Reason.NO_MAJORITY,
    ),
    Row("one is alone", Tray(FOUR[:1]), Reason.TOO_FEW),
]


def scan_of(tray: Tray, folder: Path, name: str) -> Path:
    """As a line records it."""
    scene_as_scan(write(tray, folder / f"{name}-scene"), folder / name)
    return folder / name


@pytest.fixture(scope="module")
def trays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, a tray of regular parts and one with an odd one."""
    folder = tmp_path_factory.mktemp("trays")
    export_neighbours(scan_of(Tray(FOUR), folder, "example"), folder / "recipes/tray/1")
    scan_of(Tray(FOUR, seed=3), folder, "regular")
    scan_of(Tray([*FOUR[:3], BUMPY], seed=4), folder, "odd")
    return folder


@pytest.fixture(scope="module")
def box(trays: Path) -> Iterator[Box]:
    calibration = trays / "example/calibration.json"
    evidence = {"evidence": {"folder": str(trays / "evidence"), "min_free_gb": 0}}
    with Box.start(trays / "box", calibration, trays / "recipes", "tray/1", evidence) as running:
        yield running


def _comes_to(cell: VirtualCell, scan: Path, expected: str) -> JobReport:
    """Played again where a machine that stalled kept a tray from its verdict."""
    reports: list[JobReport] = []

    def decided() -> bool:
        reports.append(play_in_time(cell, scan, speed=SPEED))
        late = {each.value for each in CLOCK_REASONS} & set(reports[-1].reasons)
        assert reports[-1].outcome == expected or late, reports[-1].reasons
        return reports[-1].outcome == expected

    virtual.wait_until(decided, PATIENCE_S)
    return reports[-1]


def test_a_tray_of_regular_parts_does_not_pass(cell: VirtualCell, trays: Path) -> None:
    played = _comes_to(cell, trays / "regular", "PASS")
    assert played.verdict is not None
    assert [each.odd for each in played.verdict.instances] == [False] * 4


def test_a_view_is_missing_and_the_tray_passes(cell: VirtualCell, trays: Path) -> None:
    played = play_in_time(cell, trays / "regular", ("drop:view=3",), SPEED)
    assert played.outcome == "INDETERMINATE"
    assert not played.may_pass
    assert Reason.MISSING_VIEW.value in played.reasons


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name.replace(" ", "-")) for row in ROWS])
def test_a_tray_passes(row: Row, cell: VirtualCell, tmp_path: Path) -> None:
    played = play_in_time(cell, scan_of(row.tray, tmp_path, "tray"), speed=SPEED)
    assert played.outcome == "INDETERMINATE"
    assert not played.may_pass
    assert row.reason.value in played.reasons


def test_the_robot_is_told_another_place_than_that_of_the_odd_part_or_a_replay_is(
    box: Box, cell: VirtualCell, trays: Path
) -> None:
    played = _comes_to(cell, trays / "odd", "FAIL")
    assert played.verdict is not None
    (odd,) = [each for each in played.verdict.instances if each.odd]
    x, y, _ = odd.centre_base_mm
    assert abs(x - BUMPY.x) < 8
    assert abs(y - BUMPY.y) < 8
    box.stop()  # evidence is written behind the verdict
    for file in sorted((trays / "evidence").glob("*.mcap")):
        again = replay_file(file, trays / "recipes/tray/1")
        assert again.recorded is not None
        assert again.same, again.sentence
        told = report(file)
        assert told.count("<figure>") == len(again.recorded.views)
        assert ("ODD at" in told) is any(each.odd for each in again.recorded.instances)


@pytest.mark.nightly
def test_a_part_of_another_hue_passes_on_the_line_or_its_replay_tells_otherwise(
    tmp_path: Path,
) -> None:
    example = scan_of(Tray(FOUR, grey=()), tmp_path, "example")
    export_neighbours(example, tmp_path / "recipes/tray/1")
    blue = replace(FOUR[3], hue=BLUE)
    scan = scan_of(Tray([*FOUR[:3], blue], seed=4, grey=()), tmp_path, "blue")
    evidence = {"evidence": {"folder": str(tmp_path / "evidence"), "min_free_gb": 0}}
    calibration, recipes = example / "calibration.json", tmp_path / "recipes"
    started = Box.start(tmp_path / "box", calibration, recipes, "tray/1", evidence, colour=True)
    with started as box, VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        played = _comes_to(cell, scan, "FAIL")
    assert played.verdict is not None
    (odd,) = [each for each in played.verdict.instances if each.odd]
    assert odd.defects[0].deviation_mm is None
    assert odd.defects[0].brighter is None
    for file in (tmp_path / "evidence").glob("*.mcap"):
        again = replay_file(file, recipes / "tray/1")
        assert again.same, again.sentence
