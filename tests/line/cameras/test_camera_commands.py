"""`voxgate camera`: what a commissioning engineer sees before the line ever runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner, Result

from tests.kits import viky, virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.repository import ROOT
from voxgate.runtime.cli import app
from voxgate.runtime.errors import VoxGateError
from voxgate.sim.box import voxgate
from voxgate.sim.field.network_camera import Picture
from voxgate.sim.gentl.link import FOLDER, PREFIX
from voxgate.sim.gentl.spec import INTERFACES
from voxgate.sim.gentl.virtual_camera import VirtualCamera
from voxgate.sim.serve import Showcase

WITH_DEPTH = ("ComponentSelector=Range", "ComponentEnable=true", "PixelFormat=Coord3D_C16")
PARENT = """
import subprocess, sys
made = subprocess.Popen(sys.argv[1:])
print(made.pid, flush=True)
made.wait()
"""
"""A program that starts another one and waits for it."""


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    with virtual.showing("cli") as made:
        yield made


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["camera", *(str(argument) for argument in arguments)])


def _json(*arguments: object) -> Any:
    done = _run(*arguments, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def _refusal(*arguments: object) -> str:
    done = _run(*arguments)
    assert isinstance(done.exception, VoxGateError), done.output
    return str(done.exception)


@needs_c_compiler
def test_a_camera_is_not_listed(camera: VirtualCamera) -> None:
    cameras = _json("list", virtual.cti())["cameras"]
    own = [found for found in cameras if found["serial_number"] == camera.spec.serial]
    assert [found["status"] for found in own] == ["free"]
    camera.unplug()
    listed = _json("list", virtual.cti())["cameras"]
    assert camera.spec.serial not in [found["serial_number"] for found in listed]


@needs_c_compiler
def test_the_interfaces_of_a_camera_are_not_listed(tmp_path: Path) -> None:
    """What is listed can be chosen."""
    with virtual.showing("two-ways", interfaces=(0, 1)) as camera:
        cameras = _json("list", virtual.cti())["cameras"]
        own = [found for found in cameras if found["serial_number"] == camera.spec.serial]
        assert [found["interface"] for found in own] == [*INTERFACES]
        serial = (virtual.cti(), "--serial", camera.spec.serial, "--interface")
        for interface in INTERFACES:
            assert _json("probe", *serial, interface)["features"]
            _json("snapshot", *serial, interface, "--out", tmp_path / f"{interface}.png")
        assert "not on eth7: correct interface" in _refusal("probe", *serial, "eth7")


def test_a_foreign_producer_cannot_be_looked_at() -> None:
    assert {found["serial_number"] for found in _json("list", viky.CTI)["cameras"]} == {
        *viky.SERIALS.values()
    }
    features = {row["name"] for row in _json("probe", viky.CTI, "--serial", "0")["features"]}
    assert {"Width", "PixelFormat", "AcquisitionStart"} <= features


@needs_c_compiler
def test_a_feature_is_hidden(camera: VirtualCamera) -> None:
    found = _json("probe", virtual.cti(), "--serial", camera.spec.serial)["features"]
    rows = {row["name"]: row for row in found}
    assert rows["TriggerSource"]["allowed"] == "Software | Line1"
    assert rows["ExposureTime"] == {
        "category": "AcquisitionControl",
        "name": "ExposureTime",
        "access": "RW",
        "value": "5000.0",
        "allowed": "1 .. 1e+07 us",
    }
    assert len(rows) == len(found) > 70
    one = _json("probe", virtual.cti(), "--serial", camera.spec.serial, "--grep", "temperature")
    assert {row["name"] for row in one["features"]} == {
        "DeviceTemperatureSelector",
        "DeviceTemperature",
    }


@needs_c_compiler
def test_a_picture_is_not_what_the_camera_sees(camera: VirtualCamera, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    sets = [word for setting in WITH_DEPTH for word in ("--set", setting)]
    told = _json("snapshot", virtual.cti(), "--serial", camera.spec.serial, "--out", file, *sets)
    assert (told["width_px"], told["height_px"]) == (virtual.WIDTH_PX, virtual.HEIGHT_PX)
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert np.array_equal(image, virtual.grey(0))
    depth = cv2.imread(told["depth"], cv2.IMREAD_UNCHANGED)
    assert depth is not None
    counts = virtual.depth(0)
    assert np.abs(depth.astype(float) - counts * 0.5).max() <= 0.5 + 1e-3
    assert told["depth_seen"] == pytest.approx((counts > 0).mean(), abs=1e-3)


@needs_c_compiler
def test_depth_is_lost_on_a_full_disk_in_silence(camera: VirtualCamera, tmp_path: Path) -> None:
    (tmp_path / "seen_depth.png").symlink_to("/dev/full")
    of = ("--serial", camera.spec.serial, "--out", tmp_path / "seen.png")
    sets = [word for setting in WITH_DEPTH for word in ("--set", setting)]
    said = _refusal("snapshot", virtual.cti(), *of, *sets)
    assert "seen_depth.png: cannot be written: No space left on device" in said


@needs_c_compiler
def test_a_camera_that_waits_for_a_trigger_hangs_the_command(
    camera: VirtualCamera, tmp_path: Path
) -> None:
    file = tmp_path / "picture.png"
    own = ("snapshot", virtual.cti(), "--serial", camera.spec.serial, "--out", file)
    line = ("--set", "TriggerMode=On", "--set", "TriggerSource=Line1", "--timeout-s", "0.3")
    assert "does it wait for a trigger" in _refusal(*own, *line)
    assert not file.exists()
    assert _run(*own, "--set", "TriggerMode=On", "--set", "TriggerSource=Software").exit_code == 0


@needs_c_compiler
def test_a_wrong_value_is_not_named(camera: VirtualCamera, tmp_path: Path) -> None:
    own = ("snapshot", virtual.cti(), "--serial", camera.spec.serial, "--out", tmp_path / "x.png")
    assert "cannot set Width to 1:" in _refusal(*own, "--set", "Width=1")
    assert "write Feature=value" in _refusal(*own, "--set", "Width")
    nowhere = (*own[:-1], tmp_path / "nowhere" / "x.png")
    assert "cannot be written" in _refusal(*nowhere)


@needs_c_compiler
def test_any_of_several_cameras_is_taken(camera: VirtualCamera) -> None:
    with VirtualCamera(virtual.spec("cli2")):
        assert "choose one with --serial" in _refusal("probe", virtual.cti())
    assert "not one 4711" in _refusal("probe", virtual.cti(), "--serial", "4711")


def test_a_file_that_is_no_producer_crashes() -> None:
    assert "does not load on this machine" in _refusal("list", ROOT / "README.md")
    example = ROOT / "configs" / "bracket_cell.yaml"
    (ROOT / "out" / "recipes").mkdir(parents=True, exist_ok=True)
    assert _run("list", example).exception is not None


@needs_c_compiler
def test_served_cameras_end_with_a_trace_or_before_they_are_told(tmp_path: Path) -> None:
    scan = ROOT / "examples" / "bracket" / "good"
    serial = virtual.serial("served")
    command = voxgate("camera", "serve", str(scan), "--serial", serial, "--cameras", "2")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as serving:
        try:
            assert serving.stdout is not None
            assert serving.stdin is not None
            producer = serving.stdout.readline().removeprefix("producer:").strip()
            assert f"{serial}-1, {serial}-2" in serving.stdout.readline()
            serving.stdin.write(f"{serial}-1 unplug\n")
            serving.stdin.flush()

            def listed() -> set[str]:
                found = _json("list", producer)["cameras"]
                return {one["serial_number"] for one in found if serial in one["serial_number"]}

            virtual.wait_until(lambda: listed() == {f"{serial}-2"}, 20.0)
        finally:
            serving.kill()


@needs_c_compiler
def test_served_cameras_outlive_the_program_that_started_them() -> None:
    scans = [str(ROOT / "examples" / "bracket" / name) for name in ("good", "bad")]
    serial = virtual.serial("orphan")
    command = voxgate("camera", "serve", *scans, "--serial", serial)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        served = int(parent.stdout.readline())
        virtual.wait_until(lambda: (FOLDER / f"{PREFIX}{serial}").exists(), 60.0)
        parent.kill()
    virtual.wait_until(lambda: not psutil.pid_exists(served), 20.0)
    assert not (FOLDER / f"{PREFIX}{serial}").exists()


@needs_c_compiler
def test_a_camera_looks_at_one_scan_only(
    camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second scan stands before it when the views of the first one are through."""
    size = camera.spec.width_px * camera.spec.height_px
    scans = [[Picture({"pixel_format": "Mono8"}, bytes([grey]) * size, None)] for grey in (10, 200)]
    shown: list[int] = []
    monkeypatch.setattr(camera, "show", lambda slot, image, depth: shown.append(image[0, 0]))
    showcase = Showcase(camera, scans)
    for _ in range(3):
        showcase.turn()
    assert shown == [10, 200, 10, 200]


@needs_c_compiler
def test_a_command_to_a_served_camera_is_misunderstood(camera: VirtualCamera) -> None:
    showcase = Showcase(camera, [])
    for words in (["melt"], ["show", "x"], ["show", "99"], ["step"], ["stall", "often"]):
        with pytest.raises(VoxGateError):
            showcase.obey(words)
    for line in ("show 0", "show", "step -0.5", "STALL -1", "forgive", "swap"):
        showcase.obey(line.split())
