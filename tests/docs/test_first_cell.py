"""The tutorial from the printed board to the first PASS, followed word for word.

A virtual camera of our own GenTL producer and a virtual robot stand in for the hardware.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.calib_kit import off
from tests.kits.first_cell import Hands
from tests.kits.follow import follow
from tests.kits.needs import needs_c_compiler
from tests.kits.ports import with_free_ports
from tests.kits.repository import ROOT
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.sim.gentl.virtual_camera import VirtualCamera

PAGE = ROOT / "docs/tutorials/first-cell.md"
PRODUCER, SERIAL = "/opt/vendor/lib/producer.cti", "40012345"


@pytest.mark.nightly
@pytest.mark.timeout(900)
@needs_c_compiler
def test_the_first_pass_cannot_be_reached_by_following_the_page(tmp_path: Path) -> None:
    with (
        closing(Hands(tmp_path / "cell")) as hands,
        VirtualCamera(virtual.spec("page", width_px=800, height_px=600)) as camera,
    ):
        camera.show(0, virtual.grey(0, 800, 600), np.zeros((600, 800), np.uint16))
        serial = camera.spec.serial
        page = PAGE.read_text(encoding="utf-8")
        page = with_free_ports(page.replace(PRODUCER, virtual.cti()).replace(SERIAL, serial))

        def pictures() -> None:
            camera.close()  # from here on the robot's own process has the camera
            hands.take_pictures()

        follow(
            page,
            tmp_path,
            {
                "pictures": pictures,
                "touched": hands.touch_the_part,
                "drawing": hands.draw_the_part,
                "robot golden": lambda: hands.run_the_robot("golden"),
                "robot good": lambda: hands.run_the_robot("good"),
                "robot bad": lambda: hands.run_the_robot("bad"),
            },
        )
    outcomes = {part: job.outcome for part, job in hands.jobs.items()}
    assert outcomes == {"golden": "INDETERMINATE", "good": "PASS", "bad": "FAIL"}, hands.jobs
    found = Calibration.load(tmp_path / "cell/calibration.json")
    mm, deg = off(found.mounting.camera, hands.truth.mounting.camera)
    assert mm < 0.2, mm
    assert deg < 0.05, deg
    assert json.loads((tmp_path / "cell/calibration.json").read_text())["steps"].keys() == {
        "intrinsics",
        "handeye",
        "part",
    }
