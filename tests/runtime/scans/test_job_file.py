"""A scan and its MCAP file are one scan, viewers know what is in it, no bytes break the reader."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.writer import CompressionType, Writer

from tests.kits import rig
from tests.kits.job_files import (
    GOOD,
    as_the_first_version_wrote_it,
    assert_same,
    frame,
    header,
    part,
    pose,
    repack,
    same_frame,
    small_file,
)
from tests.kits.protobuf_reader import decoded
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.layouts.scans import ScanCase
from voxgate.export.quality.review import scans_in
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, Note, Reason, View
from voxgate.runtime.scans import job_topics
from voxgate.runtime.scans.convert import convert_scan, recording_of
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.job_writer import exact_counts, write_job
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import FusedVolume, Handed, Recording
from voxgate.runtime.scans.scan import FrameRecord, decoded_frame
from voxgate.runtime.sync.poses import PoseRecord
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.volume import Voxels


def test_the_frames_of_a_sensor_that_fired_apart_are_lost_on_the_way(tmp_path: Path) -> None:
    files = PartFiles(json.dumps(rig.document()), None)
    known = Calibration.from_text(files.calibration)
    recording = Recording(header())
    sync = Synchronizer(known, 20 * 1_000_000)
    recording.begin(sync.state(), (pose(0),))
    recording.pose(pose(1))
    seen = replace(frame(known), depth_mm=None)
    felt = replace(frame(known.of_depth, number=7), camera="sensor0", device=Device.SENSOR)
    odd = replace(
        felt, frame_id=8, t_device_ns=felt.t_device_ns + 9, t_arrival_ns=felt.t_arrival_ns + 9
    )
    odd = replace(odd, depth_mm=np.full(felt.image.shape, 1 / 3, np.float32))
    sensed = View(7, felt.image, known.mounting.camera, 0.2, felt.depth_mm)
    for each in (seen, felt, odd):
        recording.frame(each)
    recording.handed(replace(View(1, seen.image, np.eye(4), 0.1), sensed=sensed))
    path = tmp_path / "job.mcap"
    with path.open("wb") as file:
        write_job(file, recording, files, None)

    read = read_job(path).recording
    assert read.clocks == sync.state()
    frames = [event for event in read.events if isinstance(event, FrameRecord)]
    assert [each.device for each in frames] == [Device.CAMERA, Device.SENSOR, Device.SENSOR]
    for record, sent in zip(frames[1:], (felt, odd), strict=True):
        same_frame(decoded_frame(record, known), replace(sent, image=np.zeros_like(sent.image)))
    (handed,) = (event for event in read.events if isinstance(event, Handed))
    assert handed.half is not None
    assert (handed.half.frame_id, handed.half.uncertainty_mm) == (7, 0.2)
    assert np.array_equal(handed.half.part_from_sensor, known.mounting.camera)

    convert_scan(path, tmp_path / "folder")
    scan = open_scan(tmp_path / "folder")
    assert [each.frame_id for each in scan.sensor_frames] == [7, 8]
    assert [each.depth for each in scan.frames] == [None]
    (tmp_path / "folder/calibration.json").write_text(
        (GOOD.parent / "calibration.json").read_text()
    )
    with pytest.raises(ScanError, match="frames of a sensor, and the calibration is of none"):
        open_scan(tmp_path / "folder")


@pytest.mark.slow
def test_a_scan_changes_on_its_way_into_a_file_and_back(tmp_path: Path) -> None:
    scan = tmp_path / "part/scan"
    shutil.copytree(GOOD, scan)
    for name in ("calibration.json", "grid.json"):
        shutil.copy(GOOD.parent / name, scan.parent)
    (scan / "notes.jsonl").write_text('{"reason": "frame_lost", "detail": "1 frame lost"}\n')
    assert convert_scan(scan, tmp_path / "scan.mcap") == ""
    assert convert_scan(tmp_path / "scan.mcap", tmp_path / "back") == ""
    whole = open_scan(scan)
    assert whole.notes == (Note(Reason.FRAME_LOST, "1 frame lost"),)
    assert_same(whole, open_scan(tmp_path / "scan.mcap"))
    assert_same(whole, open_scan(tmp_path / "back"))
    first = sorted((scan / "images").iterdir())[0]
    assert (tmp_path / "back/images" / f"000{first.suffix}").read_bytes() == first.read_bytes()


def test_what_the_line_stamped_is_rounded_in_a_folder(tmp_path: Path) -> None:
    """Unix time in ns has more digits than seconds in a float64."""
    files = part(tmp_path)
    known = Calibration.from_text(files.calibration)
    recording = Recording(header())
    for event in (pose(0), pose(1)):
        recording.pose(event)
    recording.frame(frame(known))
    path = tmp_path / "job.mcap"
    with path.open("wb") as file:
        write_job(file, recording, files, None)
    convert_scan(path, tmp_path / "folder")
    assert_same(open_scan(path), open_scan(tmp_path / "folder"))
    same_frame(frame(known), open_scan(tmp_path / "folder").load_frame(0))


def test_depth_that_is_no_whole_unit_is_rounded(tmp_path: Path) -> None:
    files = part(tmp_path)
    known = Calibration.from_text(files.calibration)
    odd = frame(known)
    assert odd.depth_mm is not None
    odd.depth_mm[5:] *= np.float32(1.00001)
    assert exact_counts(odd.depth_mm, known.depth_unit_mm) is None
    recording = Recording(header())
    recording.pose(pose(0))
    recording.frame(odd)
    path = tmp_path / "job.mcap"
    with path.open("wb") as file:
        write_job(file, recording, files, None)
    same_frame(odd, open_scan(path).load_frame(0))
    assert "rounded by up to" in convert_scan(path, tmp_path / "folder")


def test_a_viewer_does_not_know_what_it_sees(tmp_path: Path) -> None:
    """By the library's own reader: schemas, topics, log times, bytes as Foxglove names them."""
    recording, files = recording_of(GOOD)
    ijk = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    hits = np.array([3, 70_000], np.int32)
    voxels = Voxels(ijk, np.array([0.5, 2.0], np.float32), hits, hits)
    path = tmp_path / "job.mcap"
    with path.open("wb") as file:
        volume = FusedVolume(voxels, GridSpec((-10.0, 0.0, 0.0), (9, 9, 9), 2.0))
        write_job(file, recording, files, None, volume)
    scan, topics = open_scan(GOOD), Counter[str]()
    lens = scan.calibration
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "voxgate"
        arrivals = {"/camera/image": [], "/robot/pose": [], "/camera/depth": []}  # type: ignore[var-annotated]
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            topics[channel.topic] += 1
            arrivals.setdefault(channel.topic, []).append(message.log_time)
            if not schema.name.startswith("foxglove."):
                assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
                json.loads(schema.data)
                json.loads(message.data)
                continue
            assert (schema.encoding, channel.message_encoding) == ("protobuf", "protobuf")
            said = decoded(schema, message.data)
            assert said.timestamp.ToNanoseconds() == message.log_time
            if channel.topic == "/camera/image":
                assert said.data[:2] == b"\xff\xd8"
                assert (schema.name, said.format) == ("foxglove.CompressedImage", "jpeg")
            if channel.topic == "/camera/calibration":
                assert (said.width, said.height) == (lens.width_px, lens.height_px)
                assert list(said.K) == lens.camera_matrix.ravel().tolist()
                assert list(said.D) == lens.distortion.tolist()
                assert said.frame_id == "camera"
            if channel.topic == "/tf" and said.child_frame_id == "camera":
                assert said.parent_frame_id == "flange"
                shift = lens.mounting.camera[:3, 3] / 1000
                assert [said.translation.x, said.translation.y, said.translation.z] == (
                    pytest.approx(shift.tolist())
                )
            if channel.topic == "/volume":
                assert schema.name == "foxglove.PointCloud"
                assert said.frame_id == "part"
                assert [(f.name, f.offset, f.type) for f in said.fields] == [
                    *(("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("score", 12, 7), ("hits", 16, 5)),
                ]
                points = np.frombuffer(said.data, "<f4,<f4,<f4,<f4,<u4")
                assert points[0].tolist() == pytest.approx((-0.007, 0.005, 0.007, 0.5, 3))
                assert points[1]["f4"] == 70_000
        assert {each.name for each in reader.iter_attachments()} >= {"calibration.json"}
    assert arrivals["/camera/image"] == [f.t_arrival_ns for f in scan.frames]
    assert arrivals["/robot/pose"] == [p.t_arrival_ns for p in scan.poses]
    assert topics["/tf"] > 100
    known = {topic.name for topic in job_topics.TOPICS}
    assert set(topics) <= known


@pytest.mark.skipif(shutil.which("rerun") is None, reason="make test-viewers")
def test_another_viewer_shows_nothing(tmp_path: Path) -> None:
    """Rerun converts a recording, and finds pictures, places, the lens and points in it."""
    recording, files = recording_of(GOOD)
    ijk = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    hits = np.ones(2, np.int32)
    voxels = Voxels(ijk, np.array([0.5, 2.0], np.float32), hits, hits)
    volume = FusedVolume(voxels, GridSpec((-10.0, 0.0, 0.0), (9, 9, 9), 2.0))
    with (tmp_path / "job.mcap").open("wb") as file:
        write_job(file, recording, files, None, volume)
    for words in (["mcap", "convert", "job.mcap", "-o", "job.rrd"], ["rrd", "stats", "job.rrd"]):
        done = subprocess.run(
            ["rerun", *words], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
        )
    for found in ("EncodedImage:blob", "Transform3D:", "Pinhole:", "Points3D:positions"):
        assert found in done.stdout, found


def test_a_recording_of_the_first_version_replays_otherwise(tmp_path: Path) -> None:
    """It held pictures as JSON in base64."""
    new, old = small_file(tmp_path), tmp_path / "old.mcap"
    as_the_first_version_wrote_it(new, old)
    assert_same(open_scan(new), open_scan(old))
    assert events_of(old) == events_of(new)


def events_of(path: Path) -> list[str]:
    """What happened, in words; pictures are compared as pixels."""
    events = read_job(path).recording.events
    return [repr(event) for event in events if not isinstance(event, FrameRecord)]


def test_a_fault_of_the_line_is_forgotten_offline(tmp_path: Path) -> None:
    """`inspect` has fresh clocks and no camera's faults: what the line held against it counts."""
    files = part(tmp_path)
    recording = Recording(header())
    recording.pose(pose(0))
    recording.frame(frame(Calibration.from_text(files.calibration)))
    recording.held(Note(Reason.CAMERA_LOST, "the camera was replaced"))
    path = tmp_path / "job.mcap"
    with path.open("wb") as file:
        write_job(file, recording, files, None)
    assert open_scan(path).notes == (Note(Reason.CAMERA_LOST, "the camera was replaced"),)


@pytest.mark.slow
def test_a_command_looks_for_folders_only(tmp_path: Path) -> None:
    """An archive of files is reviewed and evaluated as one of folders is."""
    parts = tmp_path / "bracket/test"
    parts.mkdir(parents=True)
    convert_scan(GOOD, parts / "good.mcap")
    np.savez(parts / "good.surface.npz", ijk=np.array([[1, 2, 3]]))
    (parts / ".half.mcap").write_bytes(b"")
    assert scans_in(tmp_path) == [parts / "good.mcap"]
    assert scans_in(parts / "good.mcap") == [parts / "good.mcap"]
    dataset = open_dataset(tmp_path)
    (case,) = dataset.cases
    assert isinstance(case, ScanCase)
    assert (case.name, case.part) == ("bracket/good.mcap", "bracket")
    views = [each for each in case.arrivals() if isinstance(each, View)]
    assert len(views) == 12
    truth = case.truth()
    assert truth.surface_ijk.tolist() == [[1, 2, 3]]


# --- bytes that nobody vouches for --------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.2, 0.4])
def test_a_file_that_ends_in_the_middle_is_a_scan(tmp_path: Path, kept: float) -> None:
    path = small_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ScanError, match="not a whole MCAP file"):
        open_scan(path)


def test_someone_elses_recording_is_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        writer.finish()  # type: ignore[no-untyped-call]
    with pytest.raises(ScanError, match="none that voxgate wrote"):
        open_scan(path)


@pytest.mark.parametrize("claimed", [4096, 1 << 60])
@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_a_small_file_fills_the_memory(tmp_path: Path, claimed: int, kind: str) -> None:
    """A gigabyte of zeros in some kilobytes, whatever length the chunk claims."""
    import lz4.frame
    from mcap.data_stream import RecordBuilder

    zeros = bytes(1 << 26)
    packed = zstandard.compress(zeros) if kind == "zstd" else lz4.frame.compress(zeros)
    builder = RecordBuilder()
    Chunk(
        compression=kind,
        data=packed,
        message_end_time=0,
        message_start_time=0,
        uncompressed_crc=0,
        uncompressed_size=claimed,
    ).write(builder)
    path = tmp_path / "bomb.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + builder.end())  # type: ignore[no-untyped-call]
    with pytest.raises(ScanError, match="a chunk"):
        open_scan(path)


def test_a_length_from_the_file_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "long.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + struct.pack("<BQ", 1, 1 << 62) + b"x")
    with pytest.raises(ScanError, match="a record of"):
        open_scan(path)


@pytest.mark.parametrize("length", [1 << 40, 1 << 63])
def test_a_length_within_a_chunk_is_believed(tmp_path: Path, length: int) -> None:
    path = tmp_path / "long.mcap"
    chunk = struct.pack("<QQQIIQ", 0, 0, 1, 0, 0, length) + b"x"
    head = struct.pack("<BQ", Opcode.CHUNK, len(chunk))
    path.write_bytes(b"\x89MCAP0\r\n" + head + chunk)
    with pytest.raises(ScanError, match="not a whole MCAP file"):
        open_scan(path)


@pytest.mark.parametrize("compression", [CompressionType.LZ4, CompressionType.NONE])
def test_a_file_that_others_packed_anew_is_refused(
    tmp_path: Path, compression: CompressionType
) -> None:
    """As `mcap compress` and `mcap sort` do: other chunks, other order, the same messages."""
    path, again = small_file(tmp_path), tmp_path / "again.mcap"
    repack(path, again, compression)
    assert_same(open_scan(path), open_scan(again))


@given(
    position=st.tuples(*[st.floats(-1e5, 1e5)] * 3),
    stamps=st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)),
    seq=st.none() | st.integers(0, 2**62),
    exposure_ns=st.integers(0, 10**10),
)
@settings(max_examples=10, deadline=None)
def test_a_number_changes_in_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    position: tuple[float, float, float],
    stamps: tuple[int, int],
    seq: int | None,
    exposure_ns: int,
) -> None:
    folder = tmp_path_factory.mktemp("job")
    files = part(folder)
    known = Calibration.from_text(files.calibration)
    size = (known.height_px, known.width_px)
    sent = PoseRecord(seq, stamps[0], stamps[1], position, (0.6, 0.0, 0.8, 0.0), stamps[1] // 2)
    taken = Frame("cam0", 7, stamps[1], stamps[0], exposure_ns, np.zeros(size, np.uint8))
    recording = Recording(header())
    recording.pose(sent)
    recording.frame(taken)
    path = folder / "job.mcap"
    buffer = io.BytesIO()
    write_job(buffer, recording, files, None)
    path.write_bytes(buffer.getvalue())
    poses, frames = read_job(path).recording.events
    assert poses == sent
    again = decoded_frame(frames, known)  # type: ignore[arg-type]
    assert (again.t_device_ns, again.t_arrival_ns) == (stamps[1], stamps[0])
    assert again.exposure_ns == exposure_ns
