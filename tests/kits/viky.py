"""The GenTL simulator of the genicam wheel, set up for tests. It has no clock and no trigger."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.cameras.genicam.binding import genapi
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting

CTI = str(Path(genapi.__file__).parent / "viky.cti")
SERIALS = {"red": "0", "green": "1", "blue": "2"}
SIZE_PX = 100  # its smallest image; its buffers are 10 MB whatever the size
BOX_PX = 20  # side of the box that it shows in depth, at one height
EXPOSURE_US = 500.0


def nodes(rate_hz: float, *, depth: bool = False, pixels: str = "Mono8") -> tuple[NodeSetting, ...]:
    """What makes a camera of SIZE_PX at `rate_hz`; selectors before what they select."""
    return (
        NodeSetting("Width", SIZE_PX),
        NodeSetting("Height", SIZE_PX),
        NodeSetting("AcquisitionFrameRate", rate_hz),
        NodeSetting("ComponentSelector", "Range"),
        NodeSetting("ComponentEnable", depth),
        NodeSetting("ComponentSelector", "Intensity"),
        NodeSetting("PixelFormat", pixels),
    )


def camera(
    name: str = "red", rate_hz: float = 50.0, *, depth: bool = False, max_pause_ms: int = 10_000
) -> CameraSettings:
    """A camera with deadlines for a loaded machine; a test that needs short ones replaces them."""
    source = GenicamSettings(
        CTI,
        SERIALS[name],
        nodes=nodes(rate_hz, depth=depth),
        buffers=8,
        timestamp="arrival",
        exposure_us=EXPOSURE_US,
        max_pause_ms=max_pause_ms,
    )
    return CameraSettings(
        name, source, SIZE_PX, SIZE_PX, depth, slots=16, start_ms=60_000, heartbeat_ms=30_000
    )
