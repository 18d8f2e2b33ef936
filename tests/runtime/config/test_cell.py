"""A cell's YAML: what is wrong is named by file, line and key; nothing wrong is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.kits.repository import ROOT
from voxgate.runtime.common.endpoints import is_loopback
from voxgate.runtime.config.cell import check_config, config_schema, load_cell
from voxgate.runtime.config.document import read_yaml
from voxgate.runtime.errors import ConfigError

EXAMPLE = ROOT / "configs" / "bracket_cell.yaml"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """The commented example, with everything in place that it names."""
    (tmp_path / "out/recipes/bracket/1").mkdir(parents=True)
    calibration = tmp_path / "examples/bracket/calibration.json"
    calibration.parent.mkdir(parents=True)
    calibration.write_text("{}")
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs/cell.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return file


def change(file: Path, old: str, new: str) -> int:
    """Replace the one `old` of the file by `new`; the line it stands in."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the example"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_example_is_sound_and_its_values_are_the_defaults(cell: Path) -> None:
    assert check_config(cell) == []
    loaded = load_cell(cell)
    optional = {"sync", "limits", "job", "engine", "log"}
    config = loaded.config
    for name in optional:
        assert getattr(config, name) == type(config).model_fields[name].default
    assert config.journal.path == cell.parent / "../out/journal.sqlite"


def test_example_mentions_every_key(cell: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    missing = {
        name
        for name, _ in _properties(config_schema())
        if f"{name}:" not in text and name not in GENICAM_EXTRAS
    }
    assert not missing


GENICAM_EXTRAS = {
    *("stream_nodes", "buffer_handling", "buffers", "timestamp", "timestamp_point", "timestamp_hz"),
    *("exposure_us", "frame_id_bits"),
}


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("max_gap_ms: 20 ", "max_gap_ms: 0 ", "sync.max_gap_ms", "0: input should be greater"),
        ("max_gap_ms: 20 ", "max_gap_ms: .nan ", "sync.max_gap_ms", "finite"),
        ("max_gap_ms: 20 ", 'max_gap_ms: "20" ', "sync.max_gap_ms", "remove the quotes"),
        ("max_gap_ms: 20 ", "max_gap_ms: 20 ms ", "sync.max_gap_ms", "of ms, without the unit"),
        ("max_gap_ms: 20 ", "max_gap_ms: 20ms ", "sync.max_gap_ms", "without the unit"),
        ("max_gap_ms: 20 ", "max_gap_ms: ", "sync.max_gap_ms", "nothing stands there"),
        ("max_gap_ms: 20 ", "max_gap: 20 ", "sync.max_gap", "did you mean max_gap_ms?"),
        ("    slots: 16 ", "    slot: 16 ", "cameras[0].slot", "did you mean slots?"),
        (
            "max_gap_ms: 20 ",
            'max_gap_ms: "20" ',
            "sync.max_gap_ms",
            "'20': input should be a valid",
        ),
        ("max_gap_ms: 20 ", "max_gap_ms: yes ", "sync.max_gap_ms", "'yes'"),
        ("max_gap_ms: 20 ", "max_gap_ms: ", "sync.max_gap_ms", "None"),
        ("max_gap_ms: 20 ", "max_gap: 20 ", "sync.max_gap", "is not a known key"),
        ("max_gap_ms: 20 ", "max_gap_ms: 2026-01-01 ", "sync.max_gap_ms", "expected a text"),
        ("threads: 2 ", "threads: 1.5 ", "engine.threads", "1.5"),
        ("threads: 2 ", "threads: true ", "engine.threads", "True"),
        ("is_simulated: true ", "is_simulated: 1 ", "is_simulated", "boolean"),
        ("schema_version: 1", "schema_version: 2", "schema_version", "2: input should be 1"),
        ("cell: bracket-1 ", "cell: Bracket 1 ", "cell", "pattern"),
        ("source: network ", "source: usb ", "cameras[0].source", "'network', 'genicam'"),
        ("is_simulated: true ", 'is_simulated: "true" ', "is_simulated", "without quotes"),
        ("cell: bracket-1 ", "cell: Bracket 1 ", "cell", "1 to 32 of a-z 0-9 _ -"),
        ("cell: bracket-1 ", "cell: 1 ", "cell", "put it in quotes"),
        ("slots: 16 ", "slots: 1 ", "cameras[0].slots", "1: input should be greater"),
        ("    slots: 16 ", "    slot: 16 ", "cameras[0].slot", "is not a known key"),
        ("    slots: 16 ", "    depth: false ", "cameras[0].depth", "is not a known key"),
        ("backoff_ms: 200 ", "backoff_ms: 0 ", "cameras[0].backoff_ms", "greater"),
        ("poses: tcp://127.0.0.1:5560", "poses: 5560", "sockets.poses", "string"),
        ("poses: tcp://127.0.0.1:5560", "poses: tcp://h:0", "sockets.poses", "port 1 to 65535"),
        ("poses: tcp://127.0.0.1:5560", "poses: udp://h:1", "sockets.poses", "is no endpoint"),
        ("backend: onnxruntime-cpu ", "backend: torch ", "engine.backend", "onnxruntime-cuda"),
        ("level: info ", "level: loud ", "log.level", "'debug', 'info' or 'warning'"),
        # each value is allowed, together they are not
        ("late_frame_ms: 300 ", "deadline_ms: 300 ", "job.deadline_ms", "stands twice"),
        ("deadline_ms: 30000", "deadline_ms: 300", "job.late_frame_ms", "below job.deadline_ms"),
        ("deadline_ms: 30000", "deadline_ms: 900", "cameras[0].heartbeat_ms", "dead camera"),
        ("backoff_max_ms: 5000", "backoff_max_ms: 9", "cameras[0].backoff_max_ms", "below backoff"),
        ("poses: tcp://127.0.0.1:5560", "poses: tcp://0.0.0.0:5560", "sockets.poses", "encryption"),
        ("poses: tcp://127.0.0.1:5560", "poses: tcp://*:5560", "sockets.poses", "encryption"),
        ("host: 127.0.0.1 ", "host: 0.0.0.0 ", "metrics.host", "encryption"),
        ("5562", "5561", "sockets.verdicts", "taken by sockets.commands"),
        ("port: 9464", "port: 5561", "metrics.port", "taken by sockets.commands"),
        ("calibration.json", "nowhere.json", "calibration", "no such file"),
        ("folder: ../out/recipes", "folder: ../recipes", "recipes.folder", "no such folder"),
        ("folder: ../out/recipes", f"folder: {'r' * 300}", "recipes.folder", "no such folder"),
        ("calibration.json", "c" * 300, "calibration", "no such file"),
        ("default: bracket/1 ", "default: gear/1 ", "recipes.default", "voxgate export"),
        ("default: bracket/1 ", "default: ../1 ", "recipes.default", "pattern"),
        ("path: ../out/journal.sqlite", "path: ../out", "journal.path", "is a folder"),
    ],
)
def test_fault_is_named_by_line_and_key(
    cell: Path, old: str, new: str, key: str, says: str
) -> None:
    line = change(cell, old, new)
    problems = check_config(cell)
    named = [problem for problem in problems if f":{key}: " in problem and says in problem]
    assert named, problems
    if "below" not in says and "dead camera" not in says:
        number = line + 1 if old in {"default: bracket/1 "} else line
        assert named[0].startswith((f"{cell}:{line}:", f"{cell}:{number}:")), (line, named)
    assert all("\n" not in problem for problem in problems)
    with pytest.raises(ConfigError):
        load_cell(cell)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\n\tb: 2\n", 2, "a tab"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: 1\n---\nb: 1\n", 2, "not YAML"),
        ("", 1, "expected"),
        ("- 1\n", 1, "expected"),
        ("a: \x07\n", 0, "not YAML"),
        ("a: !!python/object:os.system x\n", 1, "expected a text"),
        ("a: &x [1]\nb: *x\n", 1, "aliases"),
        ("a: 1\nb: 2\na: 3\n", 3, "stands twice, first in line 1"),
        ("[" * 1000, 0, "not YAML"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested too deeply"),
    ],
)
def test_what_is_not_our_yaml_is_one_problem_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    file = tmp_path / "cell.yaml"
    file.write_text(text, encoding="utf-8")
    place = f"{file}:{line}:" if line else f"{file}:"
    problems = [str(problem) for problem in read_yaml(file).problems]
    assert any(p.startswith(place) and says in p for p in problems), problems


def test_missing_key_is_named_at_the_section_it_is_missing_from(cell: Path) -> None:
    change(cell, "  path: ../out/journal.sqlite", "  {}")
    change(cell, "journal:\n  {}", "journal: {}")
    (problem,) = check_config(cell)
    assert "journal.path: is missing" in problem


@pytest.mark.parametrize("how", ["missing", "folder", "binary", "huge"])
def test_unreadable_file_is_one_line(tmp_path: Path, how: str) -> None:
    file = tmp_path / "cell.yaml"
    if how == "folder":
        file.mkdir()
    elif how == "binary":
        file.write_bytes(b"\xff\xfe\x00\x01")
    elif how == "huge":
        file.write_text("# " + "x" * 300_000)
    (problem,) = check_config(file)
    assert problem.startswith(f"{file}: cannot be read: ")


def test_every_problem_is_told_at_once(cell: Path) -> None:
    change(cell, "max_gap_ms: 20 ", "max_gap_ms: 0 ")
    change(cell, "threads: 2 ", "threads: 0 ")
    assert len(check_config(cell)) == 2
    with pytest.raises(ConfigError, match="and 1 more: voxgate check"):
        load_cell(cell)


ROBOT = (
    "{name: robot, roles: [poses, commands, frames], "
    'public_key: "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"}'
)


def with_keys(cell: Path, *peers: str) -> None:
    """Give the cell a key of its own and these peers."""
    (cell.parent / "box.key_secret").touch()
    lines = [
        "security:",
        "  secret_key: box.key_secret",
        "  peers:",
        *(f"    - {p}" for p in peers),
    ]
    cell.write_text(cell.read_text() + "\n".join(lines) + "\n")


def test_the_network_may_reach_what_is_encrypted(cell: Path) -> None:
    change(cell, "poses: tcp://127.0.0.1:5560", "poses: tcp://0.0.0.0:5560")
    with_keys(cell, ROBOT)
    assert check_config(cell) == []


@pytest.mark.parametrize(
    ("peers", "says"),
    [
        ([ROBOT.replace("commands, ", "")], "no peer has the role commands"),
        ([ROBOT.replace(", frames", "")], "no peer has the role frames"),
        ([ROBOT.replace("frames", "doors")], "roles[2]"),
        ([ROBOT.replace("Yne", "")], "public_key"),
        ([ROBOT, ROBOT], "robot: is taken"),
        ([ROBOT, ROBOT.replace("name: robot", "name: plc")], "is robot's already"),
        ([ROBOT.replace("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "#" * 40)], "is no CURVE key"),
        ([ROBOT.replace("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "0" * 40)], "is no CURVE key"),
        (["{name: robot}"], "public_key"),
    ],
)
def test_a_door_that_nobody_passes_or_anybody_is_named(
    cell: Path, peers: list[str], says: str
) -> None:
    with_keys(cell, *peers)
    problems = check_config(cell)
    assert any(says in problem for problem in problems), problems


def test_a_key_that_is_not_there_is_named(cell: Path) -> None:
    with_keys(cell, ROBOT)
    (cell.parent / "box.key_secret").unlink()
    (problem,) = check_config(cell)
    assert "security.secret_key" in problem
    assert "voxgate keys box" in problem


def test_unsigned_recipes_are_allowed_only_when_said(cell: Path) -> None:
    change(cell, "  allow_unsigned: true ", "  # nobody is named ")
    (problem,) = check_config(cell)
    assert "voxgate keys signer" in problem


SENSOR = "sensor: {name: NAME, source: network, endpoint: 'tcp://127.0.0.1:PORT'}\n\nsockets:"


@pytest.mark.parametrize(
    ("name", "port", "said"),
    [
        ("cam0", 5564, "sensor.name: cam0: is the camera's, choose another"),
        ("sensor0", 5563, "5563 is taken by cameras.0.endpoint"),
        ("sensor0", 5564, None),
    ],
)
def test_camera_and_sensor_are_one_device(
    cell: Path, name: str, port: int, said: str | None
) -> None:
    change(cell, "\nsockets:", "\n" + SENSOR.replace("NAME", name).replace("PORT", str(port)))
    problems = check_config(cell)
    if said is None:
        assert problems == []
        assert [each.name for each in load_cell(cell).config.devices] == ["cam0", "sensor0"]
    else:
        assert len(problems) == 1
        assert said in problems[0]


def test_signers_who_do_not_count_are_a_contradiction(cell: Path) -> None:
    signers = f'  signers: [{{name: quality, public_key: "{"7f" * 32}"}}]\n  allow_unsigned: true '
    change(cell, "  allow_unsigned: true ", signers)
    (problem,) = check_config(cell)
    assert "not both" in problem
    change(cell, "  allow_unsigned: true ", "  allow_unsigned: false ")
    assert check_config(cell) == []


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        (None, True),
        ("0.0.0.0", False),
        ("*", False),
        ("192.168.0.9", False),
        ("localhost.example.com", False),
        ("eth0", False),
    ],
)
def test_what_counts_as_this_machine_only(host: str | None, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_loaded_cell_is_frozen(cell: Path) -> None:
    config = load_cell(cell).config
    with pytest.raises(ValidationError, match="frozen"):
        config.sync.max_gap_ms = 5.0  # type: ignore[misc]


def test_configuration_id_follows_values_not_comments(cell: Path) -> None:
    first = load_cell(cell).configuration_id
    change(cell, "# label in faults and metrics", "# a label")
    assert load_cell(cell).configuration_id == first
    change(cell, "max_gap_ms: 20 ", "max_gap_ms: 21 ")
    second = load_cell(cell).configuration_id
    assert second != first
    (cell.parent / "../examples/bracket/calibration.json").write_text('{"a": 1}')
    assert load_cell(cell).configuration_id != second


def test_schema_offers_the_backends_there_are() -> None:
    from voxgate.runtime.engines.backends import BACKENDS

    backend = dict(_properties(config_schema()))["backend"]
    assert backend["enum"] == ["auto", *BACKENDS]


def test_every_field_is_titled_described_and_ranged() -> None:
    for name, schema in _properties(config_schema()):
        assert schema.get("title") or "$ref" in schema, name
        assert schema.get("description"), name
        for choice in [schema, *schema.get("anyOf", [])]:
            if choice.get("type") in {"integer", "number"} and name not in UNRANGED:
                assert {"minimum", "maximum"} <= choice.keys(), name
            if choice.get("type") == "string" and "const" not in choice and "enum" not in choice:
                assert name in FREE_TEXT or choice.keys() & {"pattern", "maxLength", "format"}, name


UNRANGED = {"value", "schema_version"}  # a GenICam node's own range; one constant
FREE_TEXT = {"endpoint", "poses", "commands", "verdicts", "pictures"}  # a function checks them


def test_committed_schema_is_up_to_date() -> None:
    committed = (ROOT / "configs" / "voxgate.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == config_schema(), (
        "type: voxgate schema config > configs/voxgate.schema.json"
    )


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert check_config(file)


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from schema["properties"].items()
    for definition in schema["$defs"].values():
        yield from definition.get("properties", {}).items()


def test_an_alias_is_told_at_the_line_of_its_anchor(cell: Path) -> None:
    change(cell, "max_gap_ms: 20 ", "max_gap_ms: &gap 20 ")
    line = change(cell, "deadline_ms: 30000", "deadline_ms: *gap")
    alias, anchor = check_config(cell)
    assert alias.startswith(f"{cell}:{line}:job.deadline_ms: aliases")
    assert "sync.max_gap_ms: aliases" in anchor


def test_a_wrong_camera_is_told_twice(cell: Path) -> None:
    change(cell, "source: network ", "source: usb ")
    assert len(check_config(cell)) == 1


def _with_cameras(cell: Path, count: int, change: Callable[[str, int], str]) -> list[str]:
    """Problems of the cell with so many cameras, each changed by its number."""
    text = cell.read_text(encoding="utf-8")
    begin, end = text.index("  - name: cam0"), text.index("sockets:")
    further = [
        change(text[begin:end].replace("cam0", f"cam{n}").replace("5563", f"{5563 + 20 * n}"), n)
        for n in range(1, count)
    ]
    cell.write_text(text[:end] + "".join(further) + text[end:], encoding="utf-8")
    return check_config(cell)


def _calibrated(text: str, number: int) -> str:
    source = "    source: network"
    return text.replace(source, f"    calibration: cam{number}.json\n{source}", 1)


def test_a_ninth_camera_is_told_in_the_words_of_a_library(cell: Path) -> None:
    assert any("9 cameras: a cell has at most 8" in p for p in _with_cameras(cell, 9, _calibrated))


def test_two_cameras_with_a_calibration_each_are_refused(cell: Path) -> None:
    (cell.parent / "cam1.json").write_text("{}")
    assert _with_cameras(cell, 2, _calibrated) == []


def test_two_cameras_sit_in_one_place(cell: Path) -> None:
    problems = _with_cameras(cell, 2, lambda text, _: text)
    (problem,) = problems
    assert "cameras[1].calibration" in problem
    assert "is camera cam0's: name that of camera cam1" in problem


def test_a_device_that_two_interfaces_reach_is_opened_twice(cell: Path) -> None:
    """The camera hangs on both NICs: each entry of the file names another way to it."""
    (cell.parent / "cam1.json").write_text("{}")
    (cell.parent / "gentl.cti").write_text("")

    def genicam(text: str, number: int) -> str:
        lines = [
            f"  - name: cam{number}",
            "    source: genicam",
            "    producer: gentl.cti",
            '    serial_number: "4711"',
            f"    interface: eth{number}",
            "    exposure_us: 100",
            "",
        ]
        return "\n".join(lines) + "\n"

    first = cell.read_text(encoding="utf-8")
    begin, end = first.index("  - name: cam0"), first.index("sockets:")
    cell.write_text(first[:begin] + genicam("", 0) + first[end:], encoding="utf-8")
    text = cell.read_text(encoding="utf-8")
    end = text.index("sockets:")
    second = genicam("", 1).replace("    source", "    calibration: cam1.json\n    source", 1)
    cell.write_text(text[:end] + second + text[end:], encoding="utf-8")
    (problem,) = check_config(cell)
    assert "cameras[1].serial_number: 4711: is camera cam0's: one device is opened once" in problem
