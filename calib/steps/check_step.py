"""The whole of `voxgate calib check`: what is wrong with pictures and poses, before any solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_pictures import OnProgress, list_pictures, read_grey
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.picture_quality import Quality, quality, softer_than_the_rest
from voxgate.calib.board.repeats import first_of
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.board.why_blank import LOOKED_AT, MIRRORED, why_blank
from voxgate.calib.gates import HANDEYE, INTRINSICS
from voxgate.calib.handeye.half_turns import settle_half_turns
from voxgate.calib.handeye.mirror import unmirrored
from voxgate.calib.handeye.motions import turns
from voxgate.calib.handeye.reading import PASS_DEG, rotation_gaps, slipped_by
from voxgate.calib.handeye.scale import lengths, scale_of, scaled
from voxgate.calib.lens.intrinsics import rough_lens
from voxgate.calib.lens.pnp import board_poses
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import UNITS_MM, in_another_unit, unit_of_ratio
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_file import SUFFIXES, matching, read_poses
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.calib.robot_poses.rows import PoseTable
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.nouns import GreyImage

FEW_POINTS = 0.3  # of the board's: it is hidden, or cut off
MISFIT_DEG = 10 * PASS_DEG  # without a lens the pictures tell angles to less
POSE_NAMES = ("poses", "robot_poses", "robot", "pose")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with what."""

    of: str
    words: str

    def __str__(self) -> str:
        return f"{self.of}: {self.words}"


@dataclass(frozen=True, slots=True)
class Where:
    """The pictures' folder, the poses and the board's description, as they were found."""

    images: Path
    poses: Path | None
    board: Path | None


def find_inputs(folder: Path, poses: Path | None, board: Path | None) -> Where:
    """In a folder of pictures, or in one that holds such a folder beside poses and board.json."""
    inner = folder / "images"
    images = inner if inner.is_dir() else folder
    if poses is None:
        named = [folder / f"{name}{suffix}" for name in POSE_NAMES for suffix in SUFFIXES]
        poses = next((path for path in (*named, folder / "poses") if path.exists()), None)
    if board is None:
        board = next((path for path in (folder / "board.json",) if path.is_file()), None)
    return Where(images, poses, board)


def check_step(
    where: Where, on_progress: OnProgress = lambda done, of: None
) -> tuple[list[Finding], list[str]]:
    """What is wrong, and what was looked at. Raises CalibrationError for input that is none."""
    board = None if where.board is None else Board.load(where.board)
    files = list_pictures(where.images)
    look = _Look(board)
    for done, file in enumerate(files, start=1):
        look.at(file)
        on_progress(done, len(files))
    found = [*look.findings, *look.together()]
    seen = "" if board is None else f", the board on {len(look.sightings)}"
    told = [f"{len(files)} pictures{seen}"]
    if where.poses is not None:
        table = read_poses(where.poses)
        told.append(f"{len(table.numbers)} poses of {table.numbers.shape[1]} numbers")
        found += _of_poses(table, where.poses, look, [file.name for file in files])
    return found, told


class _Look:
    """One picture after the other."""

    def __init__(self, board: Board | None) -> None:
        self.board = board
        self.findings: list[Finding] = []
        self.sightings: list[Sighting] = []
        self.size_px: tuple[int, int] | None = None
        self._qualities: list[tuple[str, Quality]] = []
        self._blank: list[GreyImage] = []

    def at(self, file: Path) -> None:
        """Look at one."""
        try:
            grey, _ = read_grey(file)
        except CalibrationError as error:
            self._say(file.name, str(error).removeprefix(f"{file}: "))
            return
        size_px = (grey.shape[1], grey.shape[0])
        self.size_px = self.size_px or size_px
        if size_px != self.size_px:
            self._say(file.name, f"has {size_px[0]} x {size_px[1]} px, the first one has not")
            return
        sighting = None if self.board is None else find_board(grey, self.board, file.name)
        self._board_in(file.name, grey, sighting)
        self._qualities.append((file.name, quality(grey, sighting)))
        for words in self._qualities[-1][1].faults():
            self._say(file.name, words)

    def together(self) -> list[Finding]:
        """What only all of them show."""
        found = [
            Finding(
                self._qualities[number][0], "its edges are twice as wide as the others': blurred"
            )
            for number in softer_than_the_rest([each.edge_px for _, each in self._qualities])
        ]
        if self.board is None:
            return found
        if not self.sightings:
            why = why_blank(self._blank[:LOOKED_AT], self.board)
            return [
                *found,
                Finding("all pictures", f"the board is on none: {why or 'look at them'}"),
            ]
        least = int(INTRINSICS["views_min"].value)
        if len(self.sightings) < least:
            found.append(
                Finding(
                    "all pictures", f"{len(self.sightings)} different views, {least} are needed"
                )
            )
        return found

    def _board_in(self, name: str, grey: GreyImage, sighting: Sighting | None) -> None:
        if self.board is None:
            return
        if sighting is None:
            self._blank.append(grey)
            self._say(name, "the board is not found: hidden, cut off, blurred, or another one")
            return
        share = len(sighting.pixels) / len(self.board.points_mm)
        if share < FEW_POINTS:
            self._say(name, f"only {share:.0%} of the board's points are seen")
        size_px = (grey.shape[1], grey.shape[0])
        if (other := first_of(sighting, self.sightings, size_px)) is not None:
            self._say(name, f"shows what {other} shows: both count as one")
            return
        self.sightings.append(sighting)

    def _say(self, name: str, words: str) -> None:
        self.findings.append(Finding(name, words))


def _of_poses(table: PoseTable, path: Path, look: _Look, pictures: Sequence[str]) -> list[Finding]:
    found = _of_numbers(table, path)
    try:
        rows = dict(zip(pictures, matching(table, pictures), strict=True))
    except CalibrationError as error:
        return [*found, Finding(path.name, str(error))]
    if look.board is None or look.size_px is None or len(look.sightings) < 4:
        return found
    return found + _against_pictures(table, path, look, rows)


def _of_numbers(table: PoseTable, path: Path) -> list[Finding]:
    found = []
    least = int(HANDEYE["poses_min"].value)
    if len(table.numbers) < least:
        found.append(Finding(path.name, f"{len(table.numbers)} poses, {least} are needed"))
    _, first, count = np.unique(table.numbers, axis=0, return_index=True, return_counts=True)
    again = sorted(first[count > 1].tolist())
    found += [Finding(path.name, f"row {row + 1} stands there more than once") for row in again]
    return found


def _against_pictures(
    table: PoseTable, path: Path, look: _Look, rows: dict[str, int]
) -> list[Finding]:
    assert look.size_px is not None
    assert look.board is not None
    stack = Sightings.stack(look.sightings)
    poses = board_poses(stack, rough_lens(stack, look.size_px))
    kept = [view for view, pose in enumerate(poses) if pose is not None]
    seen = np.array([poses[view] for view in kept])
    numbers = table.numbers[[rows[stack.names[view]] for view in kept]]
    if look.board.half_turn_ambiguous:
        _, seen, _ = settle_half_turns(stack.only(kept), seen, numbers, ())
    return [*_turns(seen, path), *_order(numbers, seen, path)]


def _turns(seen: Array, path: Path) -> list[Finding]:
    spread = turns(inverse(seen)).spread_deg
    least = HANDEYE["second_turn_min_deg"].value
    if spread[1] >= least:
        return []
    words = (
        f"the camera turned by {spread[0]:.0f} deg about one axis and by {spread[1]:.0f} about a "
        f"second, {least:g} are needed: tilt it about another one"
    )
    return [Finding(path.name, words)]


def _order(numbers: Array, seen: Array, path: Path) -> list[Finding]:
    """Do the angles between poses agree with those between pictures, in any form, in this order?"""
    gaps = rotation_gaps(numbers, forms_for(numbers.shape[1]), seen)
    if not gaps:
        return [Finding(path.name, "its numbers are poses in no form")]
    gap_deg, form = gaps[0]
    if gap_deg <= MISFIT_DEG:
        return _units(numbers, form, seen, path)
    shift = slipped_by(numbers, seen, MISFIT_DEG)
    why = (
        f"rows and pictures are {abs(shift)} apart"
        if shift
        else "the rows are not in the pictures' order, or of another robot"
    )
    return [
        Finding(path.name, f"turns as {form.rotation} differ by {gap_deg:.1f} deg or more: {why}")
    ]


def _units(numbers: Array, form: PoseForm, seen: Array, path: Path) -> list[Finding]:
    """Do the positions, in any unit and in either place of the camera, go as far as the pictures
    say, and is the cell then one that can be?"""
    poses = flanges(numbers, form)
    ratios = [1 / scale_of(mounts, seen) for mounts in (poses, inverse(poses))]
    units = [unit for ratio in ratios if (unit := unit_of_ratio(1 / ratio)) is not None]
    if not units and np.isfinite(scale_of(poses, unmirrored(seen))):
        return [Finding(path.name, f"fits only if {MIRRORED}")]
    if not units:
        return [
            Finding(
                path.name,
                f"the robot moves {ratios[0]:.3g} times as far as the pictures say: is the board's "
                "pitch in mm, and is it this board?",
            )
        ]
    in_mm = scaled(poses, UNITS_MM.get(units[0], 1.0))
    words = in_another_unit(lengths(in_mm, seen))
    return [] if words is None else [Finding(path.name, words)]
