"""Every parser of the box meets a million damaged inputs: an error of its own, or an answer.

Never another exception, never a hang, never memory that is kept. Valid samples are damaged at
random: bits, cuts, repeats, numbers and brackets where none belong. The short run is a sample of
the nightly one; the seed is fixed, so that a failure comes again.
"""

from __future__ import annotations

import functools
import json
import random
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.writer import CompressionType

from tests.kits import tiny
from tests.kits.job_files import repack, small_file
from tests.kits.repository import ROOT
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cameras.network import header_from_bytes
from voxgate.runtime.common.npz import arrays_of
from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.config.cell import check_config
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.folder import MANIFEST_FILE, sha256
from voxgate.runtime.recipe.manifest import SCORER_FILE, ZONES_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.scorer import write_scorer
from voxgate.runtime.recipe.signature import SIGNATURE_FILE, Signature, Trust
from voxgate.runtime.recipe.zones import Zones, write_zones
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.wire.commands import StartJob, parse_command
from voxgate.runtime.wire.curve import load_key_pair
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.runtime.wire.poses import PoseMessage, parse_pose
from voxgate.runtime.wire.replies import RefusalCode, Refused, parse_reply

Feed = Callable[[bytes], object]
EXAMPLE = ROOT / "examples/bracket"
TOKENS = (
    *(b"\x00", b"\xff", b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"-", b"."),
    *(b"null", b"true", b"NaN", b"1e999", b"-1", b"9" * 400, b"\\ud800", b"[" * 50, b"\n", b" "),
    *(b"../../etc/passwd", b"!!python/object:os.system", b"&a [*a]", b"\xe2\x80\xae"),
)
SLOWEST_S = 5.0  # of one input, of the processor: how loaded the machine is does not matter
GROWTH_MB = 64  # caches and arenas settle well below it


def damaged(sample: bytes, chance: random.Random) -> bytes:
    """One to four injuries."""
    content = bytearray(sample)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(6)
        if kind == 0 and content:
            content[at % len(content)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del content[at : at + chance.randint(1, 40)]
        elif kind == 2:
            content[at:at] = chance.choice(TOKENS)
        elif kind == 3:
            content[at:at] = content[at : at + chance.randint(1, 40)]
        elif kind == 4:
            content = content[:at]
        else:
            content[at : at + chance.randint(1, 8)] = chance.choice(TOKENS)
    return bytes(content)


def from_file(read: Callable[[Path], object], path: Path) -> Feed:
    """A parser of files as one of bytes."""

    def feed(content: bytes) -> object:
        path.write_bytes(content)
        return read(path)

    return feed


def messages(folder: Path) -> list[tuple[Feed, bytes]]:
    pose = PoseMessage(seq=1, t_robot_ns=5, p_mm=(1, 2, 3), q_wxyz=(1, 0, 0, 0)).to_json()
    start = StartJob(request_id="r1", job_id="j", part_id="p", recipe="bracket/1").to_json()
    reply = Refused(request_id="r", state=State.READY, code=RefusalCode.BUSY, detail="no").to_json()
    header = {
        **{"camera": "cam0", "frame_id": 7, "t_device_ns": 10**12, "exposure_ns": 8_000_000},
        **{"width": 8, "height": 6, "pixel_format": "Mono8", "encoding": "raw"},
        **{"depth": "Coord3D_C16", "depth_scale_mm": 0.1, "depth_offset_mm": 0.0},
    }
    return [
        (parse_pose, pose),
        (parse_command, start),
        (parse_reply, reply),
        (header_from_bytes, json.dumps(header).encode()),
        (lambda data: parse_object(data.decode()), b'{"a": {"b": [1, 2.5, "x"]}, "c": null}'),
    ]


def files(folder: Path) -> list[tuple[Feed, bytes]]:
    secret = folder / "box.key_secret"
    make_key_pair(folder, "box")
    calibration = EXAMPLE / "calibration.json"
    return [
        (from_file(load_key_pair, secret), secret.read_bytes()),
        (from_file(Calibration.load, folder / "calibration.json"), calibration.read_bytes()),
    ]


def configs(folder: Path) -> list[tuple[Feed, bytes]]:
    config = ROOT / "configs/bracket_cell.yaml"
    return [(from_file(check_config, folder / "cell.yaml"), config.read_bytes())]


def scans(folder: Path) -> list[tuple[Feed, bytes]]:
    scan = folder / "part" / "scan"
    shutil.copytree(EXAMPLE / "good", scan)
    for name in ("calibration.json", "grid.json"):
        shutil.copy(EXAMPLE / name, folder / "part")
    poses = scan / "robot_poses.jsonl"
    poses.write_bytes(b"".join(poses.read_bytes().splitlines(keepends=True)[:20]))
    names = (scan / "frames.jsonl", poses, folder / "part" / "grid.json")

    def opened(path: Path, whole: bytes, content: bytes) -> None:
        path.write_bytes(content)
        try:
            open_scan(scan)
        finally:
            path.write_bytes(whole)

    return [
        (functools.partial(opened, path, path.read_bytes()), path.read_bytes()) for path in names
    ]


def recordings(folder: Path) -> list[tuple[Feed, bytes]]:
    """As voxgate writes them, and without checksums, so that the damage gets to the messages."""
    whole, plain = small_file(folder), folder / "plain.mcap"
    repack(whole, plain, CompressionType.NONE, crcs=False)
    feed = from_file(open_scan, folder / "damaged.mcap")
    content = plain.read_bytes()
    marks = (b'"handed"', b'"held"', b'"p_mm"', b'"cam0"', b'"clocks"', b"started_ns")
    # the pictures are most of the file: each kind of message is damaged by itself
    places = [max(0, content.index(mark) - 100) for mark in marks]

    def within(at: int) -> Feed:
        return lambda cut: feed(content[:at] + cut + content[at + 400 :])

    return [
        (feed, whole.read_bytes()),
        (feed, content),
        *((within(at), content[at : at + 400]) for at in places),
    ]


def recipes(folder: Path) -> list[tuple[Feed, bytes]]:
    recipe = folder / "tiny" / "1"
    write_recipe(recipe, tiny.parts())
    manifest = (recipe / MANIFEST_FILE).read_bytes()
    signature = Signature(public_key="0" * 64, signature="0" * 128).model_dump_json().encode()
    trust = Trust({"0" * 64: "nobody"})

    def loaded(name: str, content: bytes) -> None:
        """With a manifest that lists the damaged file, so that it is taken apart."""
        whole = (recipe / name).read_bytes()
        listed = json.loads(manifest)
        listed["files"][name] = sha256(content)
        (recipe / name).write_bytes(content)
        (recipe / MANIFEST_FILE).write_bytes(json.dumps(listed).encode())
        try:
            Recipe.load(recipe)
        finally:
            (recipe / name).write_bytes(whole)
            (recipe / MANIFEST_FILE).write_bytes(manifest)

    def signed(content: bytes) -> object:
        (recipe / SIGNATURE_FILE).write_bytes(content)
        return Recipe.load(recipe, trust)

    def described(content: bytes) -> None:
        (recipe / MANIFEST_FILE).write_bytes(content)
        try:
            Recipe.load(recipe)
        finally:
            (recipe / MANIFEST_FILE).write_bytes(manifest)

    (recipe / ZONES_FILE).write_bytes(write_zones(Zones.whole(1.0, 2.0)))
    (recipe / SCORER_FILE).write_bytes(write_scorer(tiny.scorer()))
    kept = ("viewplan.json", "expected.npz", "probe.npz", "reference.npz", "threshold.json")
    parts = (*kept, ZONES_FILE, SCORER_FILE)
    return [
        *((functools.partial(loaded, name), (recipe / name).read_bytes()) for name in parts),
        (signed, signature),
        (described, manifest),
        (arrays_of, (recipe / "expected.npz").read_bytes()),
    ]


PARSERS = {
    "messages": messages,
    "files": files,
    "configurations": configs,
    "scans": scans,
    "recordings": recordings,
    "recipes": recipes,
}


def fuzz(name: str, folder: Path, inputs: int) -> None:
    """Feed `inputs` damaged samples to every parser of a group, in turn."""
    parsers = PARSERS[name](folder)
    chance = random.Random(name)
    before_mb = 0.0
    for number in range(inputs):
        feed, sample = parsers[number % len(parsers)]
        content = damaged(sample, chance)
        begun_s = time.process_time()
        told = answer(feed, content)
        assert "\n" not in told, (content, told)
        assert time.process_time() - begun_s < SLOWEST_S, content
        if number == inputs // 4:
            before_mb = peak_mb()
    assert peak_mb() - before_mb < GROWTH_MB


def answer(feed: Feed, content: bytes) -> str:
    """What a person is told; any other exception than a parser's own fails the test."""
    try:
        feed(content)
    except VoxGateError as error:
        return str(error)
    except ValueError:
        return ""  # of pure parsers; whoever calls them says it in one line
    return ""


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_a_damaged_input_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    fuzz(
        name,
        tmp_path,
        {"messages": 4000, "files": 600, "configurations": 60, "recordings": 240}.get(name, 400),
    )


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("messages", 800_000),
        ("files", 100_000),
        ("configurations", 5_000),
        ("scans", 45_000),
        ("recordings", 40_000),
        ("recipes", 50_000),
    ],
)
def test_a_million_damaged_inputs_are_told_in_one_line(
    name: str, inputs: int, tmp_path: Path
) -> None:
    fuzz(name, tmp_path, inputs)
