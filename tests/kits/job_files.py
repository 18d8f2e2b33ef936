"""A job's MCAP file: its parts, a small one, one packed anew, and two held against each other."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from tests.kits.cell_kit import small_calibration
from tests.kits.protobuf_reader import decoded
from tests.kits.repository import ROOT
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Frame, JobIdentity, Note, Reason, View
from voxgate.runtime.scans.job_writer import write_job
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import JobHeader, Recording
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.sync.synchronizer import Synchronizer

GOOD = ROOT / "examples/bracket/good"


MS = 1_000_000


UNIX_NS = 1_790_000_000_123_456_789  # more digits than a float64 of seconds holds


def header(settings: Mapping[str, object] | None = None) -> JobHeader:
    job = JobIdentity("4711", "p", "bracket/1", "0" * 16, is_simulated=True)
    return JobHeader(job, "test", 10**12, "2026-01-01T00:00:00+00:00", settings or {})


def part(folder: Path) -> PartFiles:
    small_calibration(folder / "calibration.json")
    return PartFiles.beside(folder / "calibration.json")


def pose(number: int) -> PoseRecord:
    t_ns = 10**12 + number * 8 * MS
    return PoseRecord(number, UNIX_NS + number * 8 * MS, t_ns, (500.1, 0.0, 1 / 3), (1, 0, 0, 0))


def frame(known: Calibration, depth_mm: float = 500.0, number: int = 1) -> Frame:
    size = (known.height_px, known.width_px)
    image = np.random.default_rng(number).integers(0, 255, size, dtype=np.uint8)
    counts = np.float32(round(depth_mm / known.depth_unit_mm))
    depth = np.full(size, counts * np.float32(known.depth_unit_mm), np.float32)
    depth[0] = np.nan
    return Frame("cam0", number, UNIX_NS + number, 10**12 + number * MS, 8 * MS + 1, image, depth)


def assert_same(one: Scan, other: Scan) -> None:
    assert one.calibration.digest == other.calibration.digest
    assert one.grid == other.grid
    assert one.notes == other.notes
    assert len(one.frames) == len(other.frames)
    for a, b in zip(one.poses, other.poses, strict=True):
        assert (a.t_robot_ns, a.t_arrival_ns) == (b.t_robot_ns, b.t_arrival_ns)
        assert np.array_equal(a.base_from_flange, b.base_from_flange)
    for index in range(len(one.frames)):
        same_frame(one.load_frame(index), other.load_frame(index))


def same_frame(a: Frame, b: Frame) -> None:
    assert a.depth_mm is not None
    assert b.depth_mm is not None
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.depth_mm, b.depth_mm, equal_nan=True)
    for name in ("frame_id", "t_device_ns", "t_arrival_ns", "exposure_ns"):
        assert getattr(a, name) == getattr(b, name), name


def small_file(folder: Path) -> Path:
    """Of every kind of message one."""
    files = part(folder)
    known = Calibration.from_text(files.calibration)
    sync = Synchronizer(known, 20 * MS)
    for number in range(5):
        sync.add_pose(pose(number).pose())
    recording = Recording(header(settings={"max_gap_ns": 20 * MS}))
    recording.begin(sync.state(), tuple(pose(number) for number in range(5)))
    recording.pose(pose(5))
    taken = frame(known)
    recording.frame(taken)
    recording.took(10**12)
    recording.handed(View(1, taken.image, np.eye(4), 0.1, taken.depth_mm))
    recording.held(Note(Reason.POSE_GAP, "a gap"))
    recording.asked(10**12)
    path = folder / "job.mcap"
    with path.open("wb") as file:
        write_job(file, recording, files, None)
    return path


def as_the_first_version_wrote_it(path: Path, again: Path) -> None:
    """The same job with every message as JSON, pictures in base64, format 1."""
    with path.open("rb") as file, again.open("wb") as out:
        reader = make_reader(file)
        writer = Writer(out)
        writer.start()
        for record in reader.iter_metadata():
            writer.add_metadata(record.name, {**record.metadata, "format": "1"})
        for attached in reader.iter_attachments():
            writer.add_attachment(0, 0, attached.name, attached.media_type, attached.data)
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            assert schema is not None
            content = message.data
            if schema.encoding == "protobuf":
                said = decoded(schema, content)
                shown = {"data": base64.b64encode(getattr(said, "data", b"")).decode()}
                content = json.dumps(shown).encode()
            number = writer.register_schema(schema.name, "jsonschema", b"{}")
            number = writer.register_channel(channel.topic, "json", number)
            writer.add_message(number, message.log_time, content, 0, message.sequence)
        writer.finish()  # type: ignore[no-untyped-call]


def repack(path: Path, again: Path, compression: CompressionType, crcs: bool = True) -> None:
    """The same messages in the order of their log times, as `mcap sort` writes them."""
    with path.open("rb") as file, again.open("wb") as out:
        reader = make_reader(file)
        writer = Writer(out, compression=compression, enable_crcs=crcs)
        writer.start()
        channels: dict[int, int] = {}
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            if channel.id not in channels:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, "json", number)
            said = (message.log_time, message.data, 0, message.sequence)
            writer.add_message(channels[channel.id], *said)
        for record in reader.iter_metadata():
            writer.add_metadata(record.name, record.metadata)
        for attached in reader.iter_attachments():
            writer.add_attachment(0, 0, attached.name, attached.media_type, attached.data)
        writer.finish()  # type: ignore[no-untyped-call]
