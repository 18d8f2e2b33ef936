"""What a camera is set to, declared in words of the SFNC, as the features that say so to it.

Selectors come before what they select, and a known user set before everything else: a camera that
was restarted is then recognised by what it no longer holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NodeValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class NodeSetting:
    """One GenICam feature and the value it must have; selectors come before what they select."""

    name: str
    value: NodeValue


FRAME_START = "FrameStart"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts an exposure: TriggerSource, its edge and its delay; None leaves them alone.

    selector: what is triggered. Each exposure by itself is FrameStart.
    """

    source: str
    activation: str | None = None
    delay_us: float | None = None
    selector: str = FRAME_START


@dataclass(frozen=True, slots=True)
class PtpLimits:
    """What PTP must have reached before a stamp is believed, and must keep (IEEE 1588).

    max_offset_us: of PtpOffsetFromMaster. settle_ms: from PtpEnable to the first belief.
    """

    max_offset_us: float = 100.0
    settle_ms: int = 8000


@dataclass(frozen=True, slots=True)
class PtpNames:
    """The features that switch PTP on and tell of it. status: the first that can be read."""

    enable: str
    latch: str
    status: tuple[str, ...]
    offset: str


SFNC_PTP = PtpNames("PtpEnable", "PtpDataSetLatch", ("PtpStatus",), "PtpOffsetFromMaster")
# SFNC 1.5 to 2.1, and many GigE cameras to this day
GEV_PTP = PtpNames(
    "GevIEEE1588",
    "GevIEEE1588DataSetLatch",
    ("GevIEEE1588Status", "GevIEEE1588StatusLatched"),
    "GevIEEE1588OffsetFromMaster",
)


@dataclass(frozen=True, slots=True)
class CameraSetup:
    """Each is left as the camera holds it when it is None or empty.

    frame_rate_hz: without a trigger. components: name and PixelFormat of exactly those that are
    delivered. chunks: ChunkSelector's words.
    """

    user_set: str | None = None
    components: tuple[tuple[str, str], ...] = ()
    exposure_us: float | None = None
    frame_rate_hz: float | None = None
    trigger: Trigger | None = None
    chunks: tuple[str, ...] = ()
    ptp: PtpLimits | None = None


def setup_nodes(setup: CameraSetup, ptp: PtpNames = SFNC_PTP) -> tuple[NodeSetting, ...]:
    """Everything of `setup` but the components, in the order to be written."""
    return (
        *_user_set(setup),
        *_exposure(setup),
        *_trigger(setup),
        *_chunks(setup),
        *_ptp(setup, ptp),
    )


def component_nodes(setup: CameraSetup, offered: tuple[str, ...]) -> tuple[NodeSetting, ...]:
    """What is wanted on, everything else that is `offered` off; nothing when none is declared."""
    if not setup.components:
        return ()
    wanted = dict(setup.components)
    nodes = []
    for name in offered:
        if name not in wanted:
            nodes += [NodeSetting("ComponentSelector", name), NodeSetting("ComponentEnable", False)]
    for name, pixel_format in setup.components:
        if offered:
            nodes += [NodeSetting("ComponentSelector", name), NodeSetting("ComponentEnable", True)]
        nodes.append(NodeSetting("PixelFormat", pixel_format))
    return tuple(nodes)


def _user_set(setup: CameraSetup) -> Iterator[NodeSetting]:
    if setup.user_set is not None:
        yield NodeSetting("UserSetSelector", setup.user_set)
        yield NodeSetting("UserSetLoad", True)


def _exposure(setup: CameraSetup) -> Iterator[NodeSetting]:
    if setup.exposure_us is not None:
        yield NodeSetting("ExposureTime", setup.exposure_us)


def _trigger(setup: CameraSetup) -> Iterator[NodeSetting]:
    if setup.trigger is None and setup.frame_rate_hz is None:
        return
    yield NodeSetting("TriggerSelector", setup.trigger.selector if setup.trigger else FRAME_START)
    if setup.trigger is None:
        yield NodeSetting("TriggerMode", "Off")
        yield NodeSetting("AcquisitionFrameRate", float(setup.frame_rate_hz or 0))
        return
    yield NodeSetting("TriggerMode", "On")
    yield NodeSetting("TriggerSource", setup.trigger.source)
    if setup.trigger.activation is not None:
        yield NodeSetting("TriggerActivation", setup.trigger.activation)
    if setup.trigger.delay_us is not None:
        yield NodeSetting("TriggerDelay", setup.trigger.delay_us)


def _chunks(setup: CameraSetup) -> Iterator[NodeSetting]:
    if setup.chunks:
        yield NodeSetting("ChunkModeActive", True)
    for chunk in setup.chunks:
        yield NodeSetting("ChunkSelector", chunk)
        yield NodeSetting("ChunkEnable", True)


def _ptp(setup: CameraSetup, names: PtpNames) -> Iterator[NodeSetting]:
    if setup.ptp is not None:
        yield NodeSetting(names.enable, True)
