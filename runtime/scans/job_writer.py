"""A recorded job as one MCAP file (mcap.dev): what a replay needs, and what viewers draw.

Log time is the host's monotonic clock. `sequence` counts the line's own order over all topics: a
frame that was long on its way arrives before a pose that the line used first. Pictures are PNG, or
the very bytes of the scan they come from; depth is 16-bit PNG in the calibration's unit where that
is exact, else float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from mcap.writer import Writer

from voxgate import __version__
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import DepthMap, Device, Frame
from voxgate.runtime.pixels.picture import MAX_COUNTS, PNG_SIGNATURE, encode_png
from voxgate.runtime.scans import job_topics
from voxgate.runtime.scans.job_topics import Kind, Topic, Whose
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import (
    Asked,
    Declared,
    Event,
    Flushed,
    FusedVolume,
    Handed,
    Held,
    Recording,
    Told,
    Took,
    Withdrawn,
)
from voxgate.runtime.scans.scan import FrameRecord, Picture, Stored
from voxgate.runtime.scans.viewers import foxglove
from voxgate.runtime.scans.viewers.shown import cloud, lens, pose_m, transform
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import cut

CHUNK_BYTES = 1 << 20
SHOWN_EVERY_NS = 16_000_000  # a viewer draws 60 pictures a second
NS_PER_S = 1_000_000_000


def write_job(
    file: IO[bytes],
    recording: Recording,
    part: PartFiles,
    verdict: VerdictMessage | None,
    volume: FusedVolume | None = None,
) -> None:
    """Write everything. Raises OSError of the file, ValueError for pixels that cannot be stored."""
    _JobWriter(file, recording, part).write(verdict, volume)


class _JobWriter:
    def __init__(self, file: IO[bytes], recording: Recording, part: PartFiles) -> None:
        self._recording = recording
        self._part = part
        texts = part.cameras or {"": part.calibration}
        self._calibrations = {name: Calibration.from_text(text) for name, text in texts.items()}
        self._writer = Writer(file, chunk_size=CHUNK_BYTES)
        self._writer.start(profile=job_topics.PROFILE, library=f"voxgate {__version__}")
        self._channels = self._register()
        self._sequence = 0
        self._shown_ns = -SHOWN_EVERY_NS

    def write(self, verdict: VerdictMessage | None, volume: FusedVolume | None) -> None:
        recording = self._recording
        self._describe()
        self._fixed_frames(recording.header.started_ns)
        for pose in recording.poses_before:
            self._pose(pose, before=True)
        for event in recording.events:
            self._event(event)
        end_ns = max(recording.latest_ns, recording.header.started_ns)
        if volume is not None:
            self._say(job_topics.VOLUME, end_ns, cloud(volume))
        if verdict is not None:
            self._say_bytes(job_topics.VERDICT, end_ns, verdict.to_json())
        self._writer.finish()  # type: ignore[no-untyped-call]

    def _register(self) -> dict[str, int]:
        channels, schemas = {}, {}
        of_cameras = (
            topic.of(camera) for camera in self._calibrations for topic in job_topics.OF_CAMERAS
        )
        for topic in (*of_cameras, *job_topics.OF_JOB):
            if topic.schema_name not in schemas:
                schemas[topic.schema_name] = self._schema(topic)
            encoding = "protobuf" if topic.schema is None else "json"
            channels[topic.name] = self._writer.register_channel(
                topic.name, encoding, schemas[topic.schema_name]
            )
        return channels

    def _schema(self, topic: Topic) -> int:
        name = topic.schema_name
        if topic.schema is None:
            said = "protobuf", foxglove.schema(name)
        else:
            said = "jsonschema", json.dumps(topic.schema).encode()
        number: int = self._writer.register_schema(name, *said)
        return number

    def _describe(self) -> None:
        header = self._recording.header
        said = {
            **{"format": job_topics.FORMAT, "cell": header.cell},
            **{name: str(value) for name, value in asdict(header.job).items()},
            **{"started_ns": str(header.started_ns), "started_utc": header.started_utc},
        }
        self._writer.add_metadata(job_topics.JOB, said)
        self._attach(job_topics.CALIBRATION_FILE, self._part.calibration)
        if self._part.cameras:
            self._attach(
                job_topics.CAMERAS_FILE,
                json.dumps({n: json.loads(text) for n, text in self._part.cameras.items()}),
            )
        if self._part.grid is not None:
            self._attach(job_topics.GRID_FILE, self._part.grid)
        clocks = self._recording.clocks
        line = {
            "settings": dict(header.settings),
            "clocks": None if clocks is None else asdict(clocks),
            "pictures": self._recording.pictures,
        }
        self._attach(job_topics.LINE_FILE, json.dumps(line))

    def _attach(self, name: str, text: str) -> None:
        t_ns = self._recording.header.started_ns
        self._writer.add_attachment(t_ns, t_ns, name, "application/json", text.encode())

    # --- messages ----------------------------------------------------------------------------

    def _say(self, topic: Topic, t_ns: int, message: Mapping[str, object]) -> None:
        if topic.schema is None:
            shown = {"timestamp": _time(t_ns), **message}
            self._say_bytes(topic, t_ns, foxglove.message(topic.schema_name, shown))
        else:
            self._say_bytes(topic, t_ns, json.dumps(message).encode())

    def _say_bytes(self, topic: Topic, t_ns: int, content: bytes) -> None:
        channel = self._channels[topic.name]
        self._writer.add_message(channel, t_ns, content, t_ns, sequence=self._sequence)

    def _event(self, event: Event) -> None:
        self._sequence += 1
        if isinstance(event, PoseRecord):
            self._pose(event, before=False)
        elif isinstance(event, Frame):
            self._frame(event)
        elif isinstance(event, FrameRecord):
            self._stored_frame(event)
        else:
            self._say(job_topics.EVENT, event.t_ns, _told(event))
            if isinstance(event, Handed):
                pose = {"frame_id": "part", "pose": pose_m(event.part_from_camera)}
                self._say(job_topics.VIEW.of(event.camera), event.t_ns, pose)

    def _pose(self, pose: PoseRecord, before: bool) -> None:
        self._say(job_topics.POSE, pose.t_arrival_ns, {**asdict(pose), "before": before})
        if pose.t_arrival_ns - self._shown_ns >= SHOWN_EVERY_NS:
            self._shown_ns = pose.t_arrival_ns
            moved = transform(pose.pose().base_from_flange, "base", "flange")
            self._say(job_topics.TRANSFORM, pose.t_arrival_ns, moved)

    def _fixed_frames(self, t_ns: int) -> None:
        for camera, known in self._calibrations.items():
            mounted, eye = known.mounting, camera or "camera"
            for a_from_b, parent, child in (
                (mounted.part, "flange" if mounted.carried else "base", "part"),
                (mounted.camera, "base" if mounted.fixed else "flange", eye),
            ):
                self._say(job_topics.TRANSFORM, t_ns, transform(a_from_b, parent, child))
            self._say(job_topics.LENS.of(camera), t_ns, lens(known, eye))
            if known.sensor is not None:
                beside = transform(known.sensor.camera_from_sensor, eye, "sensor")
                self._say(job_topics.TRANSFORM, t_ns, beside)
                self._say(job_topics.SENSOR_LENS.of(camera), t_ns, lens(known.of_depth, "sensor"))

    def _camera_of(self, frame: Frame) -> str:
        """Of several cameras, which took it; a sensor's frames are those of the one beside it."""
        if len(self._calibrations) == 1:
            return next(iter(self._calibrations))
        beside = (name for name, known in self._calibrations.items() if known.sensor is not None)
        return frame.camera if frame.device is Device.CAMERA else next(beside, frame.camera)

    def _frame(self, frame: Frame) -> None:
        of = Whose(self._camera_of(frame), frame.device)
        if of.camera not in self._calibrations:
            return  # none of the cell's: it was refused
        depth_mm = frame.depth_mm if frame.sensed_mm is None else frame.sensed_mm
        if self._recording.pictures and of.device is Device.CAMERA:
            self._picture(of.image, of, frame.t_arrival_ns, "png", encode_png(frame.image))
        self._row(
            of,
            camera=frame.camera,
            frame_id=frame.frame_id,
            view=None,
            t_device_ns=frame.t_device_ns,
            t_arrival_ns=frame.t_arrival_ns,
            exposure_ns=frame.exposure_ns,
            depth=None if depth_mm is None else self._depth(depth_mm, frame.t_arrival_ns, of),
        )

    def _depth(self, depth_mm: DepthMap, t_ns: int, of: Whose) -> str:
        counts = exact_counts(depth_mm, self._calibrations[of.camera].depth_unit_mm)
        if not self._recording.pictures:
            return "png"
        if counts is not None:
            self._picture(of.depth, of, t_ns, "png", encode_png(counts))
            return "png"
        self._floats(t_ns, depth_mm, of)
        return "float32"

    def _floats(self, t_ns: int, depth_mm: DepthMap, of: Whose) -> None:
        height, width = depth_mm.shape
        self._say(
            of.depth_float,
            t_ns,
            {
                "frame_id": of.frame,
                "width": width,
                "height": height,
                "encoding": "32FC1",
                "step": 4 * width,
                "data": depth_mm.astype("<f4").tobytes(),
            },
        )

    def _stored_frame(self, record: FrameRecord) -> None:
        t_ns, of = record.t_arrival_ns, Whose(record.camera, record.device)
        if record.image is not None:
            self._stored(of.image, of, t_ns, record.image)
        depth = None
        if isinstance(record.depth, Stored) and record.depth.floats:
            known = self._calibrations[of.camera].of_depth
            size = (known.height_px, known.width_px)
            self._floats(t_ns, np.frombuffer(record.depth.content, np.float32).reshape(size), of)
            depth = "float32"
        elif record.depth is not None:
            self._stored(of.depth, of, t_ns, record.depth)
            depth = "png"
        self._row(
            of,
            camera=of.frame,
            frame_id=record.frame_id,
            view=record.view,
            t_device_ns=record.t_device_ns,
            t_arrival_ns=t_ns,
            exposure_ns=record.exposure_ns,
            depth=depth,
        )

    def _stored(self, topic: Topic, of: Whose, t_ns: int, picture: Picture) -> None:
        content = picture.read_bytes()
        kind = "png" if content.startswith(PNG_SIGNATURE) else "jpeg"
        self._picture(topic, of, t_ns, kind, content)

    def _row(self, of: Whose, **row: Any) -> None:
        said = {**row, "depth_unit_mm": self._calibrations[of.camera].depth_unit_mm}
        self._say(of.row, row["t_arrival_ns"], said)

    def _picture(self, topic: Topic, of: Whose, t_ns: int, kind: str, content: bytes) -> None:
        self._say(topic, t_ns, {"frame_id": of.frame, "data": content, "format": kind})


def exact_counts(depth_mm: DepthMap, unit_mm: float) -> npt.NDArray[np.uint16] | None:
    """The depth in whole units, 0 for no return; None when that loses anything."""
    counts = np.rint(depth_mm / np.float32(unit_mm))
    seen = np.isfinite(depth_mm)
    if not ((counts[seen] >= 1) & (counts[seen] <= MAX_COUNTS)).all():
        return None
    whole = np.where(seen, counts, 0).astype(np.uint16)
    again = np.multiply(whole, np.float32(unit_mm), dtype=np.float32)
    exact = np.array_equal(again[seen], depth_mm[seen]) and np.isnan(depth_mm[~seen]).all()
    return whole if exact else None


def _time(t_ns: int) -> dict[str, int]:
    return {"seconds": t_ns // NS_PER_S, "nanos": t_ns % NS_PER_S}


def _told(
    event: Took | Flushed | Handed | Held | Asked | Told | Declared | Withdrawn,
) -> dict[str, object]:
    said: dict[str, object] = {"kind": _KINDS[type(event)].value, "t_host_ns": event.t_ns}
    if isinstance(event, Handed):
        said["frame_id"] = event.frame_id
        if event.camera:
            said["camera"] = event.camera
        said["part_from_camera"] = event.part_from_camera.tolist()
        said["uncertainty_mm"] = event.uncertainty_mm
        if event.half is not None:
            said["sensor"] = {
                "frame_id": event.half.frame_id,
                "part_from_sensor": event.half.part_from_sensor.tolist(),
                "uncertainty_mm": event.half.uncertainty_mm,
            }
    elif isinstance(event, Told):
        said["command"] = json.loads(event.text)
    elif isinstance(event, (Held, Declared, Withdrawn)):
        said["reason"], said["detail"] = event.note.reason.value, cut(event.note.detail)
    return said


_KINDS: dict[type, Kind] = {
    Took: Kind.TOOK,
    Flushed: Kind.FLUSHED,
    Handed: Kind.HANDED,
    Held: Kind.HELD,
    Asked: Kind.ASKED,
    Told: Kind.TOLD,
    Declared: Kind.DECLARED,
    Withdrawn: Kind.WITHDRAWN,
}
