"""A camera that is not set as declared would inspect with the wrong exposure, trigger or clock."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.from_config import camera_settings, load_calibrations
from voxgate.runtime.cameras.settings import (
    CameraSettings,
    GenicamSettings,
    settings_from_json,
    settings_to_json,
)
from voxgate.runtime.cameras.setup import (
    CameraSetup,
    PtpLimits,
    Trigger,
    component_nodes,
    setup_nodes,
)
from voxgate.runtime.config.cell import check_config, load_cell
from voxgate.runtime.errors import CameraError
from voxgate.runtime.sync.stamps import stamps
from voxgate.sim.gentl.spec import Ptp
from voxgate.sim.gentl.virtual_camera import VirtualCamera

EXAMPLE = ROOT / "configs" / "bracket_cell.yaml"
CALIBRATION = ROOT / "examples" / "bracket" / "calibration.json"
MS = 1_000_000
FULL = CameraSetup(
    user_set="Default",
    components=(("Intensity", "Mono16"), ("Range", "Coord3D_ABC32f")),
    exposure_us=1500.0,
    trigger=Trigger("Line1", "FallingEdge", 20.0),
    chunks=("Timestamp",),
)


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    ptp = Ptp(settle_ns=80 * MS, residual_ns=500)
    with virtual.showing("setup", ptp=ptp) as made:
        yield made


def _settings(camera: VirtualCamera, setup: CameraSetup) -> CameraSettings:
    own = virtual.settings(camera)
    assert isinstance(own.source, GenicamSettings)
    return replace(own, source=replace(own.source, nodes=(), setup=setup))


# applied and read back


@needs_c_compiler
def test_the_camera_holds_something_else_than_declared(camera: VirtualCamera) -> None:
    with virtual.opened(_settings(camera, FULL)):
        held = {
            name: camera.register(name)
            for name in ("ExposureTime", "TriggerMode", "TriggerSource", "TriggerActivation")
        }
        assert held == {
            "ExposureTime": 1500.0,
            "TriggerMode": 1,
            "TriggerSource": 1,
            "TriggerActivation": 1,
        }
        assert camera.register("TriggerDelay") == 20.0
        assert [camera.register("ComponentEnable", i) for i in (1, 4, 6)] == [1, 1, 0]
        assert camera.register("ChunkModeActive") == 1


@needs_c_compiler
def test_a_component_that_was_left_on_is_delivered(camera: VirtualCamera) -> None:
    with virtual.opened(_settings(camera, FULL)):
        pass
    only = CameraSetup(components=(("Intensity", "Mono8"),))
    with virtual.opened(_settings(camera, only)):
        assert [camera.register("ComponentEnable", i) for i in (1, 4, 6)] == [1, 0, 0]


@needs_c_compiler
@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (CameraSetup(exposure_us=2e7), "cannot set ExposureTime to 20000000.0"),
        (CameraSetup(trigger=Trigger("Line7")), "cannot set TriggerSource to 'Line7'"),
        (CameraSetup(user_set="UserSet9"), "cannot set UserSetSelector to 'UserSet9'"),
        (CameraSetup(chunks=("Gain",)), "cannot set ChunkSelector to 'Gain'"),
        (
            CameraSetup(components=(("Disparity", "Mono8"),)),
            r"offers the components \['Intensity', 'Range', 'Confidence'\], not \['Disparity'\]",
        ),
        (
            CameraSetup(components=(("Range", "Mono8"),)),
            "cannot set PixelFormat to 'Mono8'",
        ),
    ],
)
def test_a_difference_is_not_an_error_by_name(
    camera: VirtualCamera, setup: CameraSetup, message: str
) -> None:
    with pytest.raises(CameraError, match=message), virtual.opened(_settings(camera, setup)):
        pass


def test_a_user_set_takes_back_what_was_set_before() -> None:
    names = [node.name for node in setup_nodes(FULL)]
    assert names[:2] == ["UserSetSelector", "UserSetLoad"]
    assert names.index("TriggerMode") < names.index("TriggerSource")


def test_a_camera_without_components_is_asked_for_them() -> None:
    nodes = component_nodes(CameraSetup(components=(("Intensity", "Mono8"),)), ())
    assert [(node.name, node.value) for node in nodes] == [("PixelFormat", "Mono8")]


# PTP


@needs_c_compiler
def test_a_camera_is_believed_before_it_follows_its_master(camera: VirtualCamera) -> None:
    limits = PtpLimits(max_offset_us=5.0, settle_ms=3000)
    with virtual.opened(_settings(camera, replace(FULL, ptp=limits))) as source:
        fired_ns = camera.fire()
        frame = virtual.frame(source)
    assert abs(frame.t_device_ns - fired_ns - camera.spec.ptp.master_minus_host_ns) < 2 * MS


@needs_c_compiler
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "Listening"}, "PtpStatus is Listening, Slave is needed after 200 ms"),
        ({"residual_ns": 10**12}, r"PtpOffsetFromMaster is -?\d+\.\d us, at most 5"),
    ],
)
def test_a_camera_without_a_master_is_opened(
    camera: VirtualCamera, changes: dict[str, Any], message: str
) -> None:
    camera.set_ptp(**changes)
    limits = PtpLimits(max_offset_us=5.0, settle_ms=200)
    with (
        pytest.raises(CameraError, match=message),
        virtual.opened(_settings(camera, replace(FULL, ptp=limits))),
    ):
        pass


@needs_c_compiler
def test_a_lost_master_is_not_noticed(
    camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.runtime.cameras.genicam.proof.LINK_CHECK_NS", 0)
    limits = PtpLimits(max_offset_us=5.0, settle_ms=3000)
    with virtual.opened(_settings(camera, replace(FULL, ptp=limits))) as source:
        camera.set_ptp(status="Master")
        with pytest.raises(CameraError, match="not the master's: PtpStatus is Master"):
            virtual.wait_until(lambda: source.take() is not None)


# in the cell's YAML


def test_a_setup_is_lost_on_its_way_to_the_worker() -> None:
    source = GenicamSettings(
        "/x.cti", "1", exposure_us=1.0, setup=replace(FULL, ptp=PtpLimits(3.0, 500))
    )
    whole = CameraSettings("cam0", source, 800, 600, True)
    assert settings_from_json(settings_to_json(whole)) == whole


@pytest.fixture
def genicam_cell(tmp_path: Path) -> Path:
    """The example with its GenICam camera, as its comments show it."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("cameras:"))
    shown = next(i for i, line in enumerate(lines) if line.strip() == "# - name: cam0")
    end = next(i for i in range(shown, len(lines)) if not lines[i].strip())
    camera = [line.replace("  # ", "  ", 1) for line in lines[shown:end]]
    text = "\n".join([*lines[: start + 1], *camera, *lines[end:]])
    producer = tmp_path / "producer.cti"
    producer.write_bytes(b"")
    (tmp_path / "recipes" / "bracket" / "1").mkdir(parents=True)
    for old, new in (
        ("/opt/vendor/lib/producer.cti", str(producer)),
        ("../examples/bracket/calibration.json", str(CALIBRATION)),
        ("../out/recipes", str(tmp_path / "recipes")),
        ("../out/", f"{tmp_path}/"),
    ):
        text = text.replace(old, new)
    file = tmp_path / "cell.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_of_a_genicam_camera_is_refused(genicam_cell: Path) -> None:
    assert check_config(genicam_cell) == []
    config = load_cell(genicam_cell).config
    source = camera_settings(config, load_calibrations(config))[0].source
    assert isinstance(source, GenicamSettings)
    assert source.setup == CameraSetup(
        user_set="Default",
        components=(("Intensity", "Mono8"), ("Range", "Coord3D_C16")),
        exposure_us=8000,
        trigger=Trigger("Line1", "RisingEdge", 0),
        chunks=("Timestamp", "FrameID", "ExposureTime"),
        ptp=PtpLimits(100, 8000),
    )
    assert stamps(config)[config.cameras[0].name].shared_ns is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clocks: estimated", "clocks: ptp", None),
        (
            "trigger: {source: Line1",
            "frame_rate_hz: 5\n      trigger: {source: Line1",
            "no frame rate",
        ),
        ("settle_ms: 8000", "settle_ms: 20000", "below start_ms, which is 10000"),
        ("exposure_node: ChunkExposureTime", "exposure_us: 7000", "exposure_us says 7000"),
    ],
)
def test_a_contradiction_is_served(
    genicam_cell: Path, old: str, new: str, message: str | None
) -> None:
    text = genicam_cell.read_text(encoding="utf-8")
    assert old in text
    genicam_cell.write_text(text.replace(old, new, 1), encoding="utf-8")
    problems = check_config(genicam_cell)
    if message is None:
        assert problems == []
        (told,) = stamps(load_cell(genicam_cell).config).values()
        assert told.shared_ns == 200_000
    else:
        assert any(message in problem for problem in problems), textwrap.shorten(str(problems), 400)


def test_ptp_is_shared_with_a_camera_that_does_not_follow_it(genicam_cell: Path) -> None:
    text = genicam_cell.read_text(encoding="utf-8").replace("clocks: estimated", "clocks: ptp")
    lines = [line for line in text.splitlines() if "ptp: {" not in line]
    genicam_cell.write_text("\n".join(lines), encoding="utf-8")
    assert any("does not follow it" in problem for problem in check_config(genicam_cell))


def test_what_is_set_is_not_what_the_runtime_assumes(genicam_cell: Path) -> None:
    text = genicam_cell.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "exposure_node" not in line]
    genicam_cell.write_text("\n".join(lines), encoding="utf-8")
    config = load_cell(genicam_cell).config
    source = camera_settings(config, load_calibrations(config))[0].source
    assert isinstance(source, GenicamSettings)
    assert source.exposure_us == 8000
