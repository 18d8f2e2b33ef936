"""The camera's part of a cell's YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.config_fields import Endpoint, FilePath, Name, Section, about


class CameraSection(Section):
    """What every camera has, whatever its frames come through."""

    name: Annotated[Name, about("Name", "label in faults and metrics")]
    depth: Annotated[bool, about("Depth", "true: a frame without depth is refused")] = True
    slots: Annotated[
        int, about("Ring slots", "frames the shared-memory ring holds", low=2, high=64)
    ] = 16
    frame_id_bits: Annotated[
        int, about("Frame id bits", "16 where ids wrap at 65,535 (GigE Vision 1)", low=16, high=64)
    ] = 64
    start_ms: Annotated[
        int, about("Start", "worker started to ready", unit="ms", low=500, high=120_000)
    ] = 10_000
    heartbeat_ms: Annotated[
        int,
        about(
            "Heartbeat", "a worker silent for longer is replaced", unit="ms", low=100, high=60_000
        ),
    ] = 1000
    silence_ms: Annotated[
        int | None,
        Field(ge=20, le=60_000),
        about("Silence", "free-running cameras: no frame for so long = link lost", unit="ms"),
    ] = None
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


class GenicamCamera(CameraSection):
    """A camera behind a GenTL producer, in a process of its own."""

    source: Annotated[Literal["genicam"], about("Source", "where the frames come from")]
    producer: Annotated[FilePath, about("Producer", "the vendor's GenTL file (.cti)")]
    serial_number: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), about("Serial number", "as on the camera")
    ]
    nodes: Annotated[
        tuple[Node, ...], Field(max_length=200), about("Nodes", "settings of the camera")
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


Camera = Annotated[NetworkCamera | GenicamCamera, Field(discriminator="source")]
