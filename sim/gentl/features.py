"""What the virtual camera offers: one row per SFNC 2.7 feature, one address per register.

The XML that GenICam software reads, the C table that guards the registers and the Python that
looks into them are all made from these rows (`python -m voxgate.sim.gentl.generate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

WORD_BYTES = 8
TEXT_BYTES = 64
CHOICES = 8  # registers per selected feature: the selector's value is the index
FIRST_ADDRESS = 0x100

Limit = float | int | str | None
"""A number, or the name of the feature that holds it."""


class Kind(str, Enum):
    """What a register holds; numbers are 8 bytes, little endian."""

    INTEGER = "Integer"
    FLOAT = "Float"
    BOOLEAN = "Boolean"
    ENUMERATION = "Enumeration"
    COMMAND = "Command"
    TEXT = "StringReg"


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of an enumeration; `available` names the node that says whether it can be chosen."""

    name: str
    value: int
    available: str | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature and its register.

    access: RO, RW or WO. locked: not writable while TLParamsLocked. stored: part of a user set.
    selector: the enumeration whose value chooses among CHOICES registers of this feature.
    """

    name: str
    kind: Kind
    category: str
    about: str
    access: str = "RW"
    low: Limit = None
    high: Limit = None
    step: int = 1
    unit: str = ""
    default: float | int | str = 0
    entries: tuple[Entry, ...] = ()
    selector: str | None = None
    available: str | None = None
    locked: bool = False
    address: int = 0
    values: tuple[int, ...] = field(default=())  # defaults of a selected feature, by index

    @property
    def stored(self) -> bool:
        """Whether a user set keeps it."""
        return self.access == "RW" and self.name not in NOT_STORED

    @property
    def count(self) -> int:
        """Registers of this feature."""
        return CHOICES if self.selector else 1

    @property
    def length(self) -> int:
        """Bytes of one register."""
        return TEXT_BYTES if self.kind is Kind.TEXT else WORD_BYTES


NOT_STORED = ("TLParamsLocked", "UserSetSelector", "UserSetDefault", "DeviceUserID", "PtpEnable")

PIXEL_FORMATS = {
    "Mono8": 0x01080001,
    "Mono12": 0x01100005,
    "Mono16": 0x01100007,
    "RGB8": 0x02180014,
    "BayerRG8": 0x01080009,
    "Coord3D_ABC32f": 0x026000C0,
    "Coord3D_C16": 0x011000B8,
    "Confidence8": 0x010800C6,
}
"""PFNC 2.1 names and values of what the camera delivers."""

COMPONENTS = {"Intensity": 1, "Range": 4, "Confidence": 6}
"""SFNC ComponentIDValue."""

CHUNKS = {"Timestamp": 1, "FrameID": 2, "ExposureTime": 3}
EVENTS = {"ExposureEnd": 1, "FrameTriggerMissed": 2}
CHUNK_ID = 0x1000  # plus the chunk's number
EVENT_ID = 0x9000  # plus the event's number

PTP_STATES = (
    "Initializing",
    "Faulty",
    "Disabled",
    "Listening",
    "PreMaster",
    "Master",
    "Passive",
    "Uncalibrated",
    "Slave",
)
"""IEEE 1588-2008 table 8 numbers them from 1."""

_LARGEST = 2**62


def _words(names: Sequence[str], first: int = 0) -> tuple[Entry, ...]:
    return tuple(Entry(name, first + index) for index, name in enumerate(names))


def _formats() -> tuple[Entry, ...]:
    of = {"Coord3D": "ComponentIsRange", "Confidence": "ComponentIsConfidence"}
    return tuple(
        Entry(name, value, of.get(name.split("_")[0].rstrip("8"), "ComponentIsIntensity"))
        for name, value in PIXEL_FORMATS.items()
    )


def _text(name: str, about: str, access: str = "RO", category: str = "DeviceControl") -> Feature:
    return Feature(name, Kind.TEXT, category, about, access)


def _integer(name: str, category: str, about: str, access: str = "RO", **more: object) -> Feature:
    return Feature(name, Kind.INTEGER, category, about, access, **more)  # type: ignore[arg-type]


def _float(name: str, category: str, about: str, access: str = "RO", **more: object) -> Feature:
    return Feature(name, Kind.FLOAT, category, about, access, **more)  # type: ignore[arg-type]


def _boolean(name: str, category: str, about: str, access: str = "RW", **more: object) -> Feature:
    return Feature(name, Kind.BOOLEAN, category, about, access, **more)  # type: ignore[arg-type]


def _command(name: str, category: str, about: str, **more: object) -> Feature:
    return Feature(name, Kind.COMMAND, category, about, "WO", **more)  # type: ignore[arg-type]


def _choice(
    name: str,
    category: str,
    about: str,
    entries: tuple[Entry, ...],
    access: str = "RW",
    **more: object,
) -> Feature:
    more.setdefault("default", entries[0].value)
    return Feature(name, Kind.ENUMERATION, category, about, access, entries=entries, **more)  # type: ignore[arg-type]


_IMAGE, _ACQUISITION = "ImageFormatControl", "AcquisitionControl"
_CHUNK, _EVENT, _SCAN3D = "ChunkDataControl", "EventControl", "Scan3dControl"
_USER, _TRANSPORT, _DEVICE = "UserSetControl", "TransportLayerControl", "DeviceControl"
_PTP = "PtpControl"

_ROWS: tuple[Feature, ...] = (
    _text("DeviceVendorName", "Who made it"),
    _text("DeviceModelName", "What it is"),
    _text("DeviceVersion", "Version of the virtual camera"),
    _text("DeviceFirmwareVersion", "Version of the producer"),
    _text("DeviceSerialNumber", "What it is chosen by"),
    _text("DeviceUserID", "A name of your own", "RW"),
    _choice("DeviceScanType", _DEVICE, "Kind of sensor", _words(["Areascan"]), "RO"),
    _integer("DeviceSFNCVersionMajor", _DEVICE, "SFNC the names follow", default=2),
    _integer("DeviceSFNCVersionMinor", _DEVICE, "SFNC the names follow", default=7),
    _choice("DeviceTemperatureSelector", _DEVICE, "Where it is measured", _words(["Mainboard"])),
    _float("DeviceTemperature", _DEVICE, "Of the mainboard", unit="C"),
    _command("DeviceReset", _DEVICE, "Restart: registers as in UserSetDefault, no frames"),
    _command("TimestampReset", _DEVICE, "The clock starts at 0"),
    _command("TimestampLatch", _DEVICE, "Keep what the clock reads now"),
    _integer("TimestampLatchValue", _DEVICE, "What it read", unit="ns", high=_LARGEST),
    _boolean("PtpEnable", _PTP, "Follow the grandmaster of the network (IEEE 1588)"),
    _command("PtpDataSetLatch", _PTP, "Keep status and offset as they are now"),
    _choice("PtpStatus", _PTP, "As latched", _words(PTP_STATES, 1), "RO", default=3),
    _integer("PtpOffsetFromMaster", _PTP, "As latched", unit="ns", low=-_LARGEST, high=_LARGEST),
    _integer("SensorWidth", _IMAGE, "Pixels of the sensor"),
    _integer("SensorHeight", _IMAGE, "Pixels of the sensor"),
    _integer("WidthMax", _IMAGE, "SensorWidth less OffsetX"),
    _integer("HeightMax", _IMAGE, "SensorHeight less OffsetY"),
    _integer(
        "Width", _IMAGE, "Of the delivered image", "RW", low=2, high="WidthMax", step=2, locked=True
    ),
    _integer(
        "Height",
        _IMAGE,
        "Of the delivered image",
        "RW",
        low=2,
        high="HeightMax",
        step=2,
        locked=True,
    ),
    _integer("OffsetXMax", _IMAGE, "SensorWidth less Width"),
    _integer("OffsetYMax", _IMAGE, "SensorHeight less Height"),
    _integer(
        "OffsetX", _IMAGE, "First column", "RW", low=0, high="OffsetXMax", step=2, locked=True
    ),
    _integer("OffsetY", _IMAGE, "First line", "RW", low=0, high="OffsetYMax", step=2, locked=True),
    _integer("HasRange", _IMAGE, "1 if somebody delivers 3D"),
    _choice(
        "ComponentSelector",
        _IMAGE,
        "What the next two are about",
        tuple(
            Entry(name, value, None if name == "Intensity" else "HasRange")
            for name, value in COMPONENTS.items()
        ),
    ),
    _boolean(
        "ComponentEnable",
        _IMAGE,
        "Deliver it",
        selector="ComponentSelector",
        values=(0, 1, 0, 0, 0, 0, 0, 0),
        locked=True,
    ),
    _integer(
        "ComponentIDValue",
        _IMAGE,
        "Number of the component",
        selector="ComponentSelector",
        values=tuple(range(CHOICES)),
    ),
    _choice(
        "PixelFormat",
        _IMAGE,
        "Of the selected component",
        _formats(),
        selector="ComponentSelector",
        values=(
            0,
            PIXEL_FORMATS["Mono8"],
            0,
            0,
            PIXEL_FORMATS["Coord3D_ABC32f"],
            0,
            PIXEL_FORMATS["Confidence8"],
            0,
        ),
        locked=True,
    ),
    _choice(
        "AcquisitionMode",
        _ACQUISITION,
        "How many frames",
        _words(["Continuous", "SingleFrame", "MultiFrame"]),
        locked=True,
    ),
    _integer(
        "AcquisitionFrameCount",
        _ACQUISITION,
        "Frames of MultiFrame",
        "RW",
        low=1,
        high=65535,
        default=1,
        locked=True,
    ),
    _command("AcquisitionStart", _ACQUISITION, "Expose from now on"),
    _command("AcquisitionStop", _ACQUISITION, "Expose no more"),
    _float(
        "AcquisitionFrameRate",
        _ACQUISITION,
        "Without trigger",
        "RW",
        low=0.1,
        high=1000.0,
        unit="Hz",
        default=10.0,
    ),
    _float(
        "AcquisitionResultingFrameRate",
        _ACQUISITION,
        "What exposure and readout leave of it",
        unit="Hz",
    ),
    _choice("ExposureMode", _ACQUISITION, "Who ends the exposure", _words(["Timed"])),
    _choice("ExposureAuto", _ACQUISITION, "Nobody but you", _words(["Off"])),
    _float(
        "ExposureTime",
        _ACQUISITION,
        "Of one frame",
        "RW",
        low=1.0,
        high=10_000_000.0,
        unit="us",
        default=5_000.0,
    ),
    _choice("TriggerSelector", _ACQUISITION, "What is triggered", _words(["FrameStart"])),
    _choice("TriggerMode", _ACQUISITION, "Wait for a trigger", _words(["Off", "On"])),
    _choice("TriggerSource", _ACQUISITION, "Who triggers", _words(["Software", "Line1"])),
    _choice(
        "TriggerActivation",
        _ACQUISITION,
        "Which edge of the line",
        _words(["RisingEdge", "FallingEdge", "AnyEdge"]),
    ),
    _float(
        "TriggerDelay",
        _ACQUISITION,
        "From the trigger to the exposure",
        "RW",
        low=0.0,
        high=1_000_000.0,
        unit="us",
    ),
    _command("TriggerSoftware", _ACQUISITION, "Trigger now"),
    _choice("LineSelector", "DigitalIOControl", "Which line", _words(["Line1"])),
    _choice("LineMode", "DigitalIOControl", "Its direction", _words(["Input"]), "RO"),
    _boolean("LineStatus", "DigitalIOControl", "Its level", "RO"),
    _boolean("ChunkModeActive", _CHUNK, "Chunks behind the image", locked=True),
    _choice(
        "ChunkSelector",
        _CHUNK,
        "Which chunk",
        tuple(Entry(name, value) for name, value in CHUNKS.items()),
    ),
    _boolean(
        "ChunkEnable",
        _CHUNK,
        "Deliver it",
        selector="ChunkSelector",
        values=(0, 1, 1, 1, 0, 0, 0, 0),
        locked=True,
    ),
    _choice(
        "EventSelector",
        _EVENT,
        "Which event",
        tuple(Entry(name, value) for name, value in EVENTS.items()),
    ),
    _choice(
        "EventNotification",
        _EVENT,
        "Tell it",
        _words(["Off", "On"]),
        selector="EventSelector",
        values=(0,) * CHOICES,
        default=0,
    ),
    _choice(
        "Scan3dOutputMode",
        _SCAN3D,
        "Organised, calibrated",
        (Entry("CalibratedABC_Grid", 0), Entry("CalibratedC", 1)),
        "RO",
        available="HasRange",
    ),
    _choice(
        "Scan3dDistanceUnit",
        _SCAN3D,
        "Of the coordinates",
        _words(["Millimeter"]),
        "RO",
        available="HasRange",
    ),
    _choice(
        "Scan3dCoordinateSystem",
        _SCAN3D,
        "Axes",
        _words(["Cartesian"]),
        "RO",
        available="HasRange",
    ),
    _choice(
        "Scan3dCoordinateSystemReference",
        _SCAN3D,
        "x right, y down, z along the lens",
        _words(["Anchor"]),
        "RO",
        available="HasRange",
    ),
    _choice(
        "Scan3dCoordinateSelector",
        _SCAN3D,
        "Which axis",
        _words(["CoordinateA", "CoordinateB", "CoordinateC"]),
        available="HasRange",
    ),
    _float(
        "Scan3dCoordinateScale",
        _SCAN3D,
        "mm of one count",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    _float(
        "Scan3dCoordinateOffset",
        _SCAN3D,
        "mm at count 0",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    _boolean(
        "Scan3dInvalidDataFlag",
        _SCAN3D,
        "A count means: no return",
        "RO",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    _float(
        "Scan3dInvalidDataValue",
        _SCAN3D,
        "That count",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    _float("Scan3dFocalLength", _SCAN3D, "Of the lens", unit="px", available="HasRange"),
    _float("Scan3dPrincipalPointU", _SCAN3D, "Column", unit="px", available="HasRange"),
    _float("Scan3dPrincipalPointV", _SCAN3D, "Line", unit="px", available="HasRange"),
    _choice("UserSetSelector", _USER, "Which set", _words(["Default", "UserSet1"])),
    _command("UserSetLoad", _USER, "Take its values", locked=True),
    _command("UserSetSave", _USER, "Keep the values in it"),
    _choice("UserSetDefault", _USER, "The set at power-on", _words(["Default", "UserSet1"])),
    _integer("PayloadSize", _TRANSPORT, "Bytes of one buffer"),
    _integer("TLParamsLocked", _TRANSPORT, "1 while streaming", "RW", low=0, high=1),
)


def _placed(rows: Sequence[Feature]) -> tuple[Feature, ...]:
    placed, address = [], FIRST_ADDRESS
    for row in rows:
        placed.append(replace(row, address=address))
        address += row.length * row.count
    return tuple(placed)


FEATURES = _placed(_ROWS)
REGISTER_BYTES = 0x1000
BY_NAME = {feature.name: feature for feature in FEATURES}

HIDDEN = ("HasRange", "OffsetXMax", "OffsetYMax")
"""Registers that only help others: not in a category."""
