"""A recorded job read back from its MCAP file: poses, frames, events, in the order of the line.

Pictures stay encoded until somebody asks. Raises ScanError (one line) for what is no such file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mcap.records import Message
from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.labels import camera_names
from voxgate.runtime.common.strict_json import Fields, parse_object, quoted
from voxgate.runtime.errors import CalibrationError, ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import JobIdentity, Note, Reason
from voxgate.runtime.scans import job_topics
from voxgate.runtime.scans.job_clocks import MAX_NS, clocks_of
from voxgate.runtime.scans.job_topics import Kind, Topic
from voxgate.runtime.scans.mcap import McapFile, first_metadata, read_mcap
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import (
    Asked,
    Declared,
    Event,
    Flushed,
    Half,
    Handed,
    Held,
    JobHeader,
    Recording,
    Told,
    Took,
    Withdrawn,
)
from voxgate.runtime.scans.scan import MAX_FRAME_ID, MAX_PICTURE_BYTES, FrameRecord, Stored
from voxgate.runtime.scans.viewers.picture_bytes import PICTURE_BYTES, PictureBytes
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.transforms import Transform, rigid
from voxgate.runtime.wire.verdict import VerdictMessage

MAX_TEXT_BYTES = 1 << 20

_PICTURES = (
    *(job_topics.IMAGE, job_topics.DEPTH, job_topics.DEPTH_FLOAT),
    *(job_topics.SENSOR_DEPTH, job_topics.SENSOR_DEPTH_FLOAT),
)
_OF_CAMERA = (*_PICTURES, job_topics.FRAME, job_topics.SENSOR_FRAME)
_READ = (*_OF_CAMERA, job_topics.POSE, job_topics.EVENT, job_topics.VERDICT)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedJob:
    """One file: what the line did, the files of its part, and the verdict it came to.

    calibrations: of each of several cameras by name; "": of the only one.
    """

    recording: Recording
    part: PartFiles
    calibrations: Mapping[str, Calibration]
    verdict: VerdictMessage | None

    @property
    def calibration(self) -> Calibration:
        """Of the first camera, or the only one."""
        return next(iter(self.calibrations.values()))


class _Line(NamedTuple):
    """One message with where it stands in the line's order."""

    sequence: int
    topic: str
    message: Message


def read_job(path: Path) -> RecordedJob:
    """Everything in the file but what only viewers need. Raises ScanError, CalibrationError."""
    file = read_mcap(path, lambda name: _of(name)[0] in {topic.name for topic in _READ})
    if job_topics.JOB not in file.metadata:
        raise ScanError(f"{path}: an MCAP file, but none that voxgate wrote: no {job_topics.JOB}")
    try:
        return _job(file, path.name)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


def part_id_of(path: Path) -> str | None:
    """Which part the recorded job was about; None where the file does not tell it."""
    try:
        said = first_metadata(path, job_topics.JOB)
    except ScanError:
        return None
    return None if said is None else said.get("part_id")


def _job(file: McapFile, name: str) -> RecordedJob:
    header = Fields(file.metadata[job_topics.JOB])
    if header.text("format") not in PICTURE_BYTES:
        known = " and ".join(PICTURE_BYTES)
        raise ValueError(f"format {quoted(header.text('format'))}, this VoxGate reads {known}")
    grid = job_topics.GRID_FILE in file.attachments
    part = PartFiles(
        _attached(file, job_topics.CALIBRATION_FILE),
        _attached(file, job_topics.GRID_FILE) if grid else None,
        _cameras(file),
    )
    texts = part.cameras or {"": part.calibration}
    calibrations = {name: Calibration.from_text(text) for name, text in texts.items()}
    line = parse_object(_attached(file, job_topics.LINE_FILE))
    recording = Recording(_header(header, line))
    recording.clocks = clocks_of(line.object_at("clocks")) if line.has("clocks") else None
    recording.pictures = line.values.get("pictures") is not False
    before, events = _events(file, name, PICTURE_BYTES[header.text("format")])
    recording.poses_before, recording.events = before, events
    return RecordedJob(recording, part, calibrations, _verdict(file))


def _cameras(file: McapFile) -> dict[str, str]:
    """Calibration of each of several cameras."""
    if job_topics.CAMERAS_FILE not in file.attachments:
        return {}
    fields = parse_object(_attached(file, job_topics.CAMERAS_FILE))
    names = camera_names(list(fields.values))
    return {name: json.dumps(fields.object_at(name).values) for name in names}


def _of(topic: str) -> tuple[str, str]:
    """As the only camera's is called, and of which camera it is; "": of the only one."""
    camera, slash, rest = topic[1:].partition("/")
    several = slash and any(f"/{rest}" == each.name for each in _OF_CAMERA)
    return (f"/{rest}", camera) if several else (topic, "")


def _attached(file: McapFile, name: str) -> str:
    content = file.attachments.get(name)
    if content is None:
        raise ValueError(f"its attachment {name} is missing")
    if len(content) > MAX_TEXT_BYTES:
        raise ValueError(f"its attachment {name} is larger than {MAX_TEXT_BYTES} bytes")
    return content.decode("utf-8")


def _header(fields: Fields, line: Fields) -> JobHeader:
    settings: Mapping[str, object] = line.object_at("settings").values
    cell = fields.text("cell")
    job = JobIdentity(
        job_id=fields.text("job_id"),
        part_id=fields.text("part_id"),
        recipe=fields.text("recipe"),
        configuration_id=fields.text("configuration_id"),
        is_simulated=fields.text("is_simulated") == "True",
    )
    return JobHeader(
        job,
        cell=cell,
        started_ns=_whole(fields.text("started_ns")),
        started_utc=fields.text("started_utc"),
        settings=settings,
    )


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"started_ns must be a whole number, got {quoted(text)}")
    return int(text)


def _verdict(file: McapFile) -> VerdictMessage | None:
    for topic, message in file.messages:
        if topic == job_topics.VERDICT.name:
            try:
                return VerdictMessage.model_validate_json(message.data)
            except ValidationError as error:
                raise ValueError(f"its verdict is unreadable: {first_finding(error)}") from error
    return None


# --- the line's order ---------------------------------------------------------------------------


def _events(
    file: McapFile, name: str, bytes_of: PictureBytes
) -> tuple[tuple[PoseRecord, ...], list[Event]]:
    lines = sorted(
        (
            _Line(message.sequence, topic, message)
            for topic, message in file.messages
            if topic != job_topics.VERDICT.name
        ),
        key=lambda line: line.sequence,
    )
    before: list[PoseRecord] = []
    events: list[Event] = []
    pictures: dict[str, Message] = {}
    for number, told, message in lines:
        topic, camera = _of(told)
        if topic in (each.name for each in _PICTURES):
            pictures[topic] = message
            continue
        fields = parse_object(message.data.decode("utf-8"))
        if topic == job_topics.POSE.name:
            (before if fields.values.get("before") is True else events).append(_pose(fields))
        elif topic in (job_topics.FRAME.name, job_topics.SENSOR_FRAME.name):
            of_sensor = topic == job_topics.SENSOR_FRAME.name
            same = {name: m for name, m in pictures.items() if m.sequence == number}
            stored = partial(_stored, same, bytes_of)
            frame = _frame(fields, stored, f"{name} frame {number}", of_sensor)
            events.append(replace(frame, camera=camera))
            pictures.clear()
        else:
            events.append(_event(fields))
    return tuple(before), events


def _pose(fields: Fields) -> PoseRecord:
    x, y, z = fields.numbers("p_mm", (3,)).tolist()
    qw, qx, qy, qz = fields.numbers("q_wxyz", (4,)).tolist()
    record = PoseRecord(
        seq=fields.integer("seq", 0, MAX_NS) if fields.has("seq") else None,
        t_robot_ns=fields.integer("t_robot_ns", -MAX_NS, MAX_NS),
        t_arrival_ns=fields.integer("t_arrival_ns", 0, MAX_NS),
        p_mm=(x, y, z),
        q_wxyz=(qw, qx, qy, qz),
        t_awaited_ns=fields.integer("t_awaited_ns", 0, MAX_NS)
        if fields.has("t_awaited_ns")
        else None,
    )
    record.pose()  # a quaternion that is none is refused here
    return record


def _frame(
    fields: Fields, stored: Callable[[Topic, str], Stored], name: str, of_sensor: bool
) -> FrameRecord:
    depth = fields.text("depth") if fields.has("depth") else None
    if depth not in (None, "png", "float32"):
        raise ValueError(f"depth must be png or float32, got {quoted(depth)}")
    topic = _DEPTHS[of_sensor, depth == "float32"]
    return FrameRecord(
        frame_id=fields.integer("frame_id", 0, MAX_FRAME_ID),
        view=fields.integer("view", 0, MAX_FRAME_ID) if fields.has("view") else None,
        t_device_ns=fields.integer("t_device_ns", -MAX_NS, MAX_NS),
        t_arrival_ns=fields.integer("t_arrival_ns", 0, MAX_NS),
        exposure_ns=fields.integer("exposure_ns", 0, MAX_NS),
        image=None if of_sensor else stored(job_topics.IMAGE, f"{name}: image"),
        depth=None if depth is None else stored(topic, f"{name}: depth"),
    )


_DEPTHS = {
    (False, False): job_topics.DEPTH,
    (False, True): job_topics.DEPTH_FLOAT,
    (True, False): job_topics.SENSOR_DEPTH,
    (True, True): job_topics.SENSOR_DEPTH_FLOAT,
}
"""By whether it is of a sensor beside the camera, and whether it is float32."""


def _stored(
    pictures: dict[str, Message], bytes_of: PictureBytes, topic: Topic, name: str
) -> Stored:
    """A picture that was not recorded is an empty one: whoever decodes it is told."""
    message, floats = pictures.get(topic.name), topic.floats
    if message is None:
        return Stored(name, b"", floats)
    try:
        content = bytes_of(message.data, topic)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if len(content) > MAX_PICTURE_BYTES:
        raise ValueError(f"{name}: {len(content)} bytes, at most {MAX_PICTURE_BYTES}")
    return Stored(name, content, floats)


def _event(fields: Fields) -> Event:
    word, t_ns = fields.text("kind"), fields.integer("t_host_ns", 0, MAX_NS)
    if word not in {kind.value for kind in Kind}:
        raise ValueError(f"kind: {quoted(word)} is no event of a job")
    kind = Kind(word)
    if kind is Kind.TOOK:
        return Took(t_ns)
    if kind is Kind.FLUSHED:
        return Flushed(t_ns)
    if kind is Kind.ASKED:
        return Asked(t_ns)
    if kind is Kind.HANDED:
        half = (
            Half(*_placed(fields.object_at("sensor"), "part_from_sensor"))
            if fields.has("sensor")
            else None
        )
        camera = fields.text("camera") if fields.has("camera") else ""
        return Handed(t_ns, *_placed(fields, "part_from_camera"), half, camera)
    if kind is Kind.TOLD:
        command = fields.object_at("command")
        return Told(t_ns, command.text("command"), quoted(command.values))
    note = _note(fields)
    if kind is Kind.HELD:
        return Held(t_ns, note)
    return Declared(t_ns, note) if kind is Kind.DECLARED else Withdrawn(t_ns, note)


def _placed(fields: Fields, key: str) -> tuple[int, Transform, float]:
    """Which frame, from where, and how sure that is."""
    transform = fields.numbers(key, (4, 4))
    rigid(transform)
    uncertainty_mm = fields.number("uncertainty_mm", 0.0, 1e300)
    return fields.integer("frame_id", 0, MAX_FRAME_ID), transform, uncertainty_mm


def _note(fields: Fields) -> Note:
    word = fields.text("reason")
    if word not in {reason.value for reason in Reason}:
        raise ValueError(f"reason: {quoted(word)} is not in the closed list")
    return Note(Reason(word), fields.text("detail"))
