"""What may stand in a cell's YAML: every field with its meaning, unit and range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from voxgate.runtime.common.labels import LABEL, MAX_CAMERAS
from voxgate.runtime.config.cameras import Camera
from voxgate.runtime.config.document import Key
from voxgate.runtime.config.fields import Endpoint, FilePath, Name, Section, about
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.mqtt import MqttSection
from voxgate.runtime.config.opcua import OpcUaSection
from voxgate.runtime.config.page import PageSection, Tls
from voxgate.runtime.config.security import Security, Signer

NS_PER_MS = 1_000_000


class Recipes(Section):
    """Where recipes lie and which one is prepared at start."""

    folder: Annotated[FilePath, about("Folder", "holds <name>/<version>/manifest.json")]
    default: Annotated[
        str | None,
        Field(pattern=LABEL),
        about(
            "Default recipe", "name or name/version, prepared at start; none: wait for a command"
        ),
    ] = None
    fallback: Annotated[
        bool,
        about(
            "Fall back",
            "true: when the default's newest version cannot be proven at start, serve the version "
            "that last decided a part here, and say so loudly",
        ),
    ] = False
    keep_before_mb: Annotated[
        int | None,
        about(
            "Keep the one before",
            "in memory after a change of recipe, so that rollback is instant, while so much "
            "memory stays available; null: never",
            unit="MB",
            low=0,
            high=1_000_000,
        ),
    ] = 1024
    signers: Annotated[
        tuple[Signer, ...],
        Field(max_length=100),
        about("Signers", "only recipes with the signature of one of them are opened"),
    ] = ()
    release_required: Annotated[
        bool,
        about(
            "Release required",
            "true: open a recipe only where a signed RELEASE.json says which versions may serve",
        ),
    ] = False
    allow_unsigned: Annotated[
        bool, about("Allow unsigned", "true: open recipes of anybody who can write to the folder")
    ] = False


class Sockets(Section):
    """The sockets the box binds."""

    poses: Annotated[Endpoint, about("Poses", "SUB; the robot's PUB connects")]
    commands: Annotated[Endpoint, about("Commands", "ROUTER; the robot's REQ or DEALER connects")]
    verdicts: Annotated[Endpoint, about("Verdicts", "PUB; anyone's SUB connects")]
    pictures: Annotated[
        Endpoint | None,
        about("Pictures", "PUB; who looks on (the page) connects: two small pictures a second"),
    ] = None
    heartbeat_ms: Annotated[
        int, about("Heartbeat period", "time between heartbeats", unit="ms", low=50, high=10000)
    ] = 500


class Sync(Section):
    """When a frame's pose counts as proven."""

    max_gap_ms: Annotated[
        float,
        about(
            "Largest gap", "between the two poses around an exposure", unit="ms", low=1, high=1000
        ),
    ] = 20.0  # two and a half periods of a 125 Hz stream
    clocks: Annotated[
        Literal["estimated", "ptp"],
        about("Clocks", "ptp: camera and robot both follow one grandmaster; proven by arrivals"),
    ] = "estimated"
    ptp_error_us: Annotated[
        float,
        about("PTP error", "largest, between robot and camera", unit="us", low=0.1, high=10_000),
    ] = 200.0

    @property
    def max_gap_ns(self) -> int:
        """As the synchronizer takes it."""
        return int(self.max_gap_ms * NS_PER_MS)


class JobSection(Section):
    """How long one part may take."""

    deadline_ms: Annotated[
        int,
        about(
            "Deadline",
            "start_job to verdict; later is INDETERMINATE",
            unit="ms",
            low=100,
            high=600_000,
        ),
    ] = 30_000
    verdict_budget_ms: Annotated[
        int,
        about(
            "Verdict budget",
            "last exposure to verdict that the cycle allows; slower raises an alert, no fault",
            unit="ms",
            low=1,
            high=600_000,
        ),
    ] = 150
    late_frame_ms: Annotated[
        int,
        about(
            "Late frames", "after stop_job, wait for frames on the way", unit="ms", low=0, high=5000
        ),
    ] = 300
    queue_views: Annotated[
        int, about("Queue", "views that may wait for inspection; more is a fault", low=1, high=256)
    ] = 64
    reoffer_ms: Annotated[
        int,
        about(
            "Offer again after",
            "a verdict that nobody has acknowledged",
            unit="ms",
            low=100,
            high=3_600_000,
        ),
    ] = 5000
    reoffer_times: Annotated[
        int,
        about("Offer again", "so many times, and to whoever subscribes; 0: no", low=0, high=100),
    ] = 3


class EngineSection(Section):
    """What runs the model."""

    backend: Annotated[
        Literal[
            "auto",
            "tensorrt",
            "tensorrt-rtx",
            "onnxruntime-cpu",
            "onnxruntime-cuda",
            "onnxruntime-tensorrt",
        ],
        about(
            "Backend",
            "what runs the recipe's model; auto: TensorRT where there is a plan, else "
            "onnxruntime-cpu, and the log and the verdict say which",
        ),
    ] = "onnxruntime-cpu"
    plans: Annotated[
        FilePath | None,
        about("Plans", "where `voxgate build` puts TensorRT plans; none: recipes.folder/.plans"),
    ] = None
    threads: Annotated[
        int, about("Threads", "of the engine; physical cores are best", low=1, high=64)
    ] = 2
    gpu_memory_mb: Annotated[
        int | None,
        about(
            "GPU memory",
            "the most that a recipe may take of the GPU's, model and volume together; none: what "
            "is free",
            unit="MB",
            low=64,
            high=1_000_000,
        ),
    ] = None


class Journal(Section):
    """The record of every job, written before anything is sent."""

    path: Annotated[FilePath, about("File", "SQLite; its folder is made when missing")]
    max_age_days: Annotated[
        float, about("Age", "older verdicts are dropped", unit="days", low=0.01, high=36_500)
    ] = 3650.0
    max_rows: Annotated[
        int, about("Rows", "verdicts kept, some 2 kB each; the oldest go", low=100, high=10**9)
    ] = 2_000_000

    @property
    def max_age_s(self) -> float:
        """As the journal takes it."""
        return self.max_age_days * 86_400.0


class EvidenceSection(Section):
    """What is kept of every job, behind its verdict: pictures, poses, volume, as one .mcap each."""

    folder: Annotated[FilePath, about("Folder", "one file per job; made when missing")]
    enabled: Annotated[bool, about("Enabled", "false: keep nothing")] = True
    max_gb: Annotated[
        float, about("Most", "on disk; the oldest go first", unit="GB", low=0.001, high=1e6)
    ] = 50.0
    max_age_days: Annotated[
        float, about("Age", "of recordings of passed parts", unit="days", low=0.01, high=10_000)
    ] = 30.0
    keep_fail_days: Annotated[
        float,
        about("Age of the others", "FAIL and INDETERMINATE", unit="days", low=0.01, high=10_000),
    ] = 365.0
    min_free_gb: Annotated[
        float,
        about("Least free", "left on the disk for others", unit="GB", low=0, high=1e6),
    ] = 5.0
    pass_images_every: Annotated[
        int,
        about("Pictures of passed parts", "of every n-th; 0: of none", low=0, high=1_000_000),
    ] = 1
    queue_mb: Annotated[
        int,
        about(
            "Queue",
            "memory for jobs that wait to be written; the open one may take as much again",
            unit="MB",
            low=1,
            high=65_536,
        ),
    ] = 512


class BasicAuth(Section):
    """Who may scrape."""

    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$"), about("User", "of Prometheus")]
    password_file: Annotated[FilePath, about("Password file", "one line")]


class MetricsSection(Section):
    """Where Prometheus scrapes."""

    enabled: Annotated[bool, about("Enabled", "false: no HTTP server")] = True
    host: Annotated[
        str, Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$"), about("Host", "address to listen on")
    ] = "127.0.0.1"
    port: Annotated[int, about("Port", "HTTP, path /metrics", low=1, high=65535)] = 9464
    tls: Annotated[Tls | None, about("TLS", "needed beyond this machine")] = None
    basic_auth: Annotated[BasicAuth | None, about("Basic auth", "needed beyond this machine")] = (
        None
    )


class Log(Section):
    """What goes to stderr (the journal of systemd)."""

    level: Annotated[
        Literal["debug", "info", "warning"], about("Level", "least severity that is written")
    ] = "info"


class CellConfig(Section):
    """One station: robot, camera, fixture, box."""

    schema_version: Annotated[Literal[1], about("Schema version", "of this file's layout")]
    cell: Annotated[Name, about("Cell", "name of the station, part of every topic")]
    is_simulated: Annotated[
        bool, about("Simulated", "true: verdicts are marked, no line may act on them")
    ]
    calibration: Annotated[
        FilePath | None,
        about("Calibration", "calibration.json of camera and robot; none: each camera names one"),
    ] = None
    recipes: Annotated[Recipes, about("Recipes", "what can be inspected")]
    cameras: Annotated[
        tuple[Camera, ...],
        Field(min_length=1, max_length=MAX_CAMERAS),
        about("Cameras", "on the robot or in the cell, each with a calibration of its own"),
    ]
    sensor: Annotated[
        Camera | None,
        about(
            "Sensor",
            "the 3D sensor beside the camera, where the calibration describes one: depth comes "
            "from it, with its own clock and exposure; none: the camera delivers depth",
        ),
    ] = None
    sockets: Annotated[Sockets, about("Sockets", "what the robot talks to")]
    security: Annotated[
        Security | None,
        about("Security", "keys of the box and its peers; none: plain sockets on this machine"),
    ] = None
    sync: Annotated[Sync, about("Sync", "clocks and poses")] = Sync()
    limits: Annotated[Limits, about("Limits", "when a scan proves nothing")] = Limits()
    job: Annotated[JobSection, about("Job", "deadlines and queues")] = JobSection()
    engine: Annotated[EngineSection, about("Engine", "what runs the model")] = EngineSection()
    journal: Annotated[Journal, about("Journal", "record of every job")]
    evidence: Annotated[
        EvidenceSection | None, about("Evidence", "recordings of jobs; none: keep nothing")
    ] = None
    metrics: Annotated[MetricsSection, about("Metrics", "for Prometheus")] = MetricsSection()
    page: Annotated[PageSection, about("Page", "for people in a browser")] = PageSection()
    mqtt: Annotated[
        MqttSection | None, about("MQTT", "a broker that `voxgate mqtt` tells; none: no mirror")
    ] = None
    opcua: Annotated[
        OpcUaSection | None, about("OPC UA", "a door for a PLC, `voxgate opcua`; none: no door")
    ] = None
    log: Annotated[Log, about("Log", "to stderr")] = Log()

    @property
    def calibrations(self) -> dict[str, Path]:
        """File of each camera, by its name, the first one first."""
        files = {camera.name: camera.calibration or self.calibration for camera in self.cameras}
        return {name: file for name, file in files.items() if file is not None}

    @property
    def in_colour(self) -> dict[str, bool]:
        """Of each camera, whether its pictures arrive in colour."""
        return {camera.name: camera.colour for camera in self.cameras}

    @property
    def devices(self) -> tuple[Camera, ...]:
        """Everything that delivers frames: the cameras, and the sensor beside them."""
        return tuple(device for _, device in self.devices_at())

    def devices_at(self) -> Iterator[tuple[Key, Camera]]:
        """Each with where it stands in the file."""
        for index, camera in enumerate(self.cameras):
            yield ("cameras", index), camera
        if self.sensor is not None:
            yield ("sensor",), self.sensor
