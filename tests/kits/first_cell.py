"""What hands do on the page about a first cell: pictures of a board, touched points, a robot's job.

The cell is the one of examples/bracket: its lens, its camera on the flange and its fixture are the
truth, and what the page calibrates must come near to it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from tests.kits.calib_kit import rows
from tests.kits.mesh import measured_triangles, write_stl
from tests.kits.repository import BRACKET
from voxgate.benchmarks.calibration.calib_cell import CalibCell, Camera, make_cell
from voxgate.calib.board.board import Board
from voxgate.calib.lens.lens import Lens, LensModel
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_forms import ROBOTS
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.transforms import apply
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.job_report import JobReport
from voxgate.sim.robot import RobotError
from voxgate.sim.virtual_cell import VirtualCell

VIEWS = 25
TRIES = 5
TOUCH_ERROR_MM = 0.15
CORNERS_MM = np.array(
    [[-90, -60, 0], [90, -60, 0], [90, 60, 0], [-90, 60, 0], [-60, 0, 100], [60, 0, 20.0]]
)


class Hands:
    """Of a person in `folder`, whose robot and camera are virtual."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = Calibration.load(BRACKET / "calibration.json")
        self.jobs: dict[str, JobReport] = {}
        self._robot: VirtualCell | None = None

    def take_pictures(self) -> None:
        """Twenty-five pictures of the board, and the robot's pose at each, as a UR shows it."""
        cell = self._cell(Board.load(self.folder / "board" / "board.json"))
        camera = Camera(cell.lens, cell.board)
        table = rows(cell.reported, ROBOTS["ur"])
        with (self.folder / "poses.csv").open("w", newline="", encoding="utf-8") as file:
            write = csv.writer(file)
            for view, pose in enumerate(cell.camera_from_board):
                name = f"{view + 1:02d}.png"
                cv2.imwrite(str(self.folder / "pictures" / name), camera.render(pose, view))
                write.writerow([name, *(f"{value:.7f}" for value in table[view])])

    def _cell(self, board: Board) -> CalibCell:
        """The example's camera on its flange, looking at a board from all sides."""
        truth = self.truth
        matrix = truth.camera_matrix
        values = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *truth.distortion]
        lens = Lens(LensModel.BROWN, truth.width_px, truth.height_px, np.array(values))
        usual = make_cell(4, VIEWS, of=lens, board=board)
        robot_errs = inverse(usual.z @ inverse(usual.camera_from_board) @ inverse(usual.x[None])[0])
        x = truth.mounting.camera
        flanges = usual.z @ inverse(usual.camera_from_board) @ inverse(x[None])[0]
        reported = flanges @ (robot_errs @ usual.reported)
        return CalibCell(lens, x, usual.z, reported, usual.camera_from_board, board=board)

    def touch_the_part(self) -> None:
        """Six points on the drawing and as the robot's tip found them."""
        found = apply(self.truth.mounting.part, CORNERS_MM)
        found = found + np.random.default_rng(1).normal(0, TOUCH_ERROR_MM, found.shape)
        with (self.folder / "touched.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(np.round(np.hstack([CORNERS_MM, found]), 4).tolist())

    def draw_the_part(self) -> None:
        """The part's mesh, as the designer has it: here measured on the golden part."""
        write_stl(self.folder / "part.stl", measured_triangles(BRACKET / "golden"))

    def run_the_robot(self, part: str) -> None:
        """One job on a part of examples/bracket, by the robot's own key; again if this machine
        stalled, as the robot's program of a demo does."""
        cell = self._virtual_cell()
        _until_ready(cell)
        for _ in range(TRIES):
            self.jobs[part] = cell.play(BRACKET / part)
            if not self.jobs[part].stalled:
                break

    def _virtual_cell(self) -> VirtualCell:
        """One robot and one camera for all jobs: another's clocks would be strangers to the box."""
        if self._robot is None:
            config = load_cell(self.folder / "cell.yaml", without="recipes").config
            key = self.folder / "robot" / "robot.key_secret"
            self._robot = VirtualCell(wires_from_config(config, key))
        return self._robot

    def close(self) -> None:
        """The robot and its camera go home."""
        if self._robot is not None:
            self._robot.close()


def _until_ready(cell: VirtualCell, tries: int = TRIES) -> None:
    """The box may just be starting: what the robot heard last was another one's heartbeat."""
    cell.wait_for_box()
    try:
        cell.wait_until_ready()
    except RobotError:
        if tries == 1:
            raise
        _until_ready(cell, tries - 1)
