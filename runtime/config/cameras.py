"""The camera's part of a cell's YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from voxgate.runtime.config.camera_setup import SetupSection
from voxgate.runtime.config.fields import Endpoint, FilePath, Name, Section, about


class CameraSection(Section):
    """What every camera has, whatever its frames come through."""

    name: Annotated[Name, about("Name", "label in faults and metrics")]
    calibration: Annotated[
        FilePath | None,
        about("Calibration", "calibration.json of this one of several cameras; none: the cell's"),
    ] = None
    colour: Annotated[
        bool,
        about("Colour", "pictures stay in colour; else they are grey: the luma of what is sent"),
    ] = False
    slots: Annotated[
        int, about("Ring slots", "frames the shared-memory ring holds", low=2, high=64)
    ] = 16
    frame_id_bits: Annotated[
        int | None,
        Field(ge=16, le=64),
        about(
            "Frame id bits",
            "16: 65,535 is followed by 1, 0 never comes (GigE Vision 1); none: as the camera says",
        ),
    ] = None
    start_ms: Annotated[
        int, about("Start", "worker started to ready", unit="ms", low=500, high=120_000)
    ] = 10_000
    heartbeat_ms: Annotated[
        int,
        about(
            # the service looks every 0.1 s, and excuses whoever was paused together with it
            *("Heartbeat", "a worker silent for longer is replaced"),
            unit="ms",
            low=500,
            high=60_000,
        ),
    ] = 1000
    silence_ms: Annotated[
        int | None,
        Field(ge=20, le=60_000),
        about("Silence", "free-running cameras: no frame for so long = link lost", unit="ms"),
    ] = None
    backoff_ms: Annotated[
        int,
        about(
            "Backoff", "before a second restart; doubles each time", unit="ms", low=1, high=60_000
        ),
    ] = 200
    backoff_max_ms: Annotated[
        int, about("Longest backoff", "see backoff_ms", unit="ms", low=1, high=600_000)
    ] = 5000
    restarts: Annotated[
        int, about("Restarts", "per restart_window_s before giving up", low=0, high=1000)
    ] = 20
    restart_window_s: Annotated[
        int, about("Restart window", "see restarts", unit="s", low=1, high=86_400)
    ] = 600


class NetworkCamera(CameraSection):
    """Frames arrive over a ZeroMQ PULL socket: virtual cell, or a camera on another machine."""

    source: Annotated[Literal["network"], about("Source", "where the frames come from")]
    endpoint: Annotated[Endpoint, about("Endpoint", "bound here; the sender connects")]


class Node(Section):
    """One GenICam node to set; written in the order of the file, selectors first."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,128}$"), about("Node", "SFNC name")]
    value: Annotated[
        bool | int | float | Annotated[str, Field(max_length=256)],
        about("Value", "read back after writing"),
    ]


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("0 makes every depth the same: give the length of one count")
    return value


_Invalid = Annotated[
    float | None,
    Field(ge=-1e9, le=1e9),
    about("Invalid", "raw value that means: no return; none: no such value"),
]


class Mark(Section):
    """Coordinate A or B: only its mark of a missing return counts, places come from depth."""

    invalid: _Invalid = None


class DepthAxis(Section):
    """Coordinate C, depth or disparity: raw * scale + offset."""

    scale: Annotated[
        float, about("Scale", "of one count", low=-1e6, high=1e6), AfterValidator(_not_zero)
    ] = 1.0
    offset: Annotated[float, about("Offset", "added after scale", low=-1e6, high=1e6)] = 0.0
    invalid: _Invalid = None


class StereoSection(Section):
    """For cameras that send disparity: depth = focal_px * baseline / disparity."""

    focal_px: Annotated[
        float, about("Focal length", "of the rectified image", unit="px", low=1, high=1e6)
    ]
    baseline: Annotated[
        float, about("Baseline", "between the cameras, times unit_mm", low=1e-6, high=1e6)
    ]


class Coord3dSection(Section):
    """How to read the 3D components, instead of asking the camera's Scan3d nodes."""

    a: Annotated[Mark, about("Coordinate A", "x")] = Mark()
    b: Annotated[Mark, about("Coordinate B", "y")] = Mark()
    c: Annotated[DepthAxis, about("Coordinate C", "depth, or disparity with stereo")] = DepthAxis()
    unit_mm: Annotated[
        float,
        about("Unit", "length of the camera's unit: 1000 for m", unit="mm", low=1e-6, high=1e6),
    ] = 1.0
    zero_is_invalid: Annotated[
        bool, about("Zero is invalid", "true: 0 in every coordinate is no return")
    ] = True
    min_confidence: Annotated[
        float, about("Least confidence", "raw; below it is no return", low=0, high=65_535)
    ] = 1.0
    stereo: Annotated[StereoSection | None, about("Stereo", "only when C is a disparity")] = None


class GenicamCamera(CameraSection):
    """A camera behind a GenTL producer, in a process of its own."""

    source: Annotated[Literal["genicam"], about("Source", "where the frames come from")]
    producer: Annotated[FilePath, about("Producer", "the vendor's GenTL file (.cti)")]
    serial_number: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), about("Serial number", "as on the camera")
    ]
    interface: Annotated[
        str | None,
        Field(min_length=1, max_length=256),
        about("Interface", "id or name, where several reach it; voxgate camera list shows them"),
    ] = None
    setup: Annotated[SetupSection, about("Setup", "trigger, exposure, components, chunks, PTP")] = (
        SetupSection()
    )
    nodes: Annotated[
        tuple[Node, ...],
        Field(max_length=200),
        about("Nodes", "settings that setup has no word for, written after it"),
    ] = ()
    stream_nodes: Annotated[
        tuple[Node, ...], Field(max_length=50), about("Stream nodes", "settings of the data stream")
    ] = ()
    buffer_handling: Annotated[
        Literal["OldestFirst", "OldestFirstOverwrite", "NewestOnly"],
        about("Buffer handling", "StreamBufferHandlingMode"),
    ] = "OldestFirst"
    buffers: Annotated[int, about("Buffers", "views of a job + 2 is safe", low=4, high=256)] = 16
    timestamp: Annotated[
        Literal["device", "arrival"],
        about("Timestamp", "arrival: for cameras without a clock; transfer jitter enters the pose"),
    ] = "device"
    timestamp_node: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9_]{1,128}$"),
        about("Timestamp node", "such as ChunkTimestamp; none: the buffer's own stamp"),
    ] = None
    timestamp_point: Annotated[
        Literal["start", "end"], about("Timestamp point", "of the exposure that is stamped")
    ] = "start"
    timestamp_hz: Annotated[
        int, about("Timestamp rate", "ticks per second", unit="Hz", low=1000, high=10**12)
    ] = 1_000_000_000
    exposure_us: Annotated[
        float | None,
        Field(ge=1, le=10_000_000),
        about("Exposure", "fixed; give this or exposure_node", unit="us"),
    ] = None
    exposure_node: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9_]{1,128}$"),
        about("Exposure node", "such as ChunkExposureTime; give this or exposure_us"),
    ] = None
    max_pause_ms: Annotated[
        int,
        about(
            "Longest pause",
            "with timestamp arrival: frames that waited through a longer one are refused",
            unit="ms",
            low=5,
            high=10_000,
        ),
    ] = 50
    coord3d: Annotated[
        Coord3dSection | None,
        about("3D", "replaces what the camera's nodes say; none: ask the camera"),
    ] = None


Camera = Annotated[NetworkCamera | GenicamCamera, Field(discriminator="source")]
