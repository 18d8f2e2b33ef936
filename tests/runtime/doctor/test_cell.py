"""The doctor on the box itself and on its cell: what is wrong is named with what to type."""

from __future__ import annotations

import importlib
import json
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kits import tiny, viky
from tests.kits.cell_kit import small_calibration, write_cell
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cameras.genicam.libpython import LIBPYTHON
from voxgate.runtime.cli import main
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.doctor.camera import CAMERA_CHECKS
from voxgate.runtime.doctor.cell import CELL_CHECKS
from voxgate.runtime.doctor.host import HOST_CHECKS
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.port_probe import why_taken
from voxgate.runtime.doctor.rows import Finding, Light, examine
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.signature import sign, write_signature
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.wire.keys import load_signer, make_key_pair, make_signer

CHECKS = {**HOST_CHECKS, **CAMERA_CHECKS, **CELL_CHECKS}
CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
GOVERNOR = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
RMEM = "/proc/sys/net/core/rmem_max"
USBFS = "/sys/module/usbcore/parameters/usbfs_memory_mb"
VIKY = Path(viky.CTI)
PTP_SLAVE = "RESPONSE MANAGEMENT TIME_STATUS_NP\n  master_offset  -27\n  gmPresent  true\n"


def look(machine: Machine) -> dict[str, Finding]:
    return {row.check: row.finding for row in examine(machine, CHECKS)}


@dataclass
class Put:
    """A box as it should be; a test spoils one thing of it."""

    files: dict[str, str] = field(
        default_factory=lambda: {
            CLOCK: "tsc",
            "/proc/meminfo": "MemAvailable:   16000000 kB",
            RMEM: str(32 << 20),
        }
    )
    said: dict[str, str] = field(default_factory=lambda: {"timedatectl": "yes\n"})
    cores: int = 4
    processor: str = "x86_64"
    python: tuple[int, ...] = (3, 12, 3)
    environ: dict[str, str] = field(default_factory=dict)

    def machine(self, config: CellConfig | None = None) -> Machine:
        return Machine(
            config=config,
            run=lambda command: self.said.get(command[0]),
            read=self.files.get,
            glob=lambda pattern: [pattern] if pattern in self.files else [],
            cores=lambda: self.cores,
            processor=self.processor,
            python=self.python,
            environ=self.environ,
        )


def test_a_box_as_it_should_be_has_no_red_and_no_yellow() -> None:
    found = look(Put().machine())
    assert {f.light for f in found.values()} == {Light.GREEN, Light.OFF}, found


@pytest.mark.parametrize(
    ("spoil", "check", "light", "words"),
    [
        (lambda put: setattr(put, "processor", "armv7l"), "Python", Light.RED, "64-bit"),
        (lambda put: setattr(put, "python", (3, 8, 10)), "Python", Light.RED, "3.10 or newer"),
        (lambda put: setattr(put, "cores", 1), "processor", Light.YELLOW, "2 or more"),
        (lambda put: put.files.update({GOVERNOR: "powersave"}), "processor", Light.YELLOW, "-g"),
        (
            lambda put: put.files.update({"/proc/meminfo": "MemAvailable: 900000 kB"}),
            "memory",
            Light.YELLOW,
            "end other programs",
        ),
        (lambda put: put.files.update({CLOCK: "hpet"}), "clock source", Light.YELLOW, "tsc"),
        (lambda put: put.said.update(timedatectl="no\n"), "wall clock", Light.YELLOW, "set-ntp"),
        (lambda put: put.said.clear(), "wall clock", Light.YELLOW, "date"),
    ],
)
def test_what_ails_a_box_is_named_with_what_to_type(
    spoil: Callable[[Put], None], check: str, light: Light, words: str
) -> None:
    put = Put()
    spoil(put)
    finding = look(put.machine())[check]
    assert finding.light is light
    assert words in finding.do


def test_a_library_that_does_not_load_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    finding = look(Put().machine())["libraries"]
    assert finding.light is Light.RED
    assert "onnxruntime" in finding.said
    assert "empty virtual environment" in finding.do


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (LIBPYTHON, f"apt-get install libpython{sys.version_info[0]}.{sys.version_info[1]}"),
        ("libGL.so.1", "apt-file search libGL.so.1"),
    ],
)
def test_a_missing_library_of_the_system_is_looked_for_in_the_virtual_environment(
    monkeypatch: pytest.MonkeyPatch, missing: str, words: str
) -> None:
    def lacks(name: str) -> None:
        raise ImportError(f"{missing}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(importlib, "import_module", lacks)
    finding = look(Put().machine())["libraries"]
    assert finding.light is Light.RED
    assert words in finding.do
    assert "virtual environment" not in finding.do


# --- the cell ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cell with one recipe, which belongs to its calibration."""
    (tmp_path / "recipes").mkdir()
    write_recipe(tmp_path / "recipes/tiny/1", tiny.parts())
    return tmp_path


def cell(folder: Path, **changes: dict[str, Any]) -> CellConfig:
    recipes: dict[str, Any] = {"default": None, **changes.pop("recipes", {})}
    config = load_cell(write_cell(folder, recipes=recipes, **changes)).config
    (folder / "recipes/bracket/1").rmdir()
    (folder / "recipes/bracket").rmdir()
    return config


def test_a_cell_whose_recipes_are_of_anybody_serves_but_is_told(folder: Path) -> None:
    found = look(Put().machine(cell(folder)))
    assert {name for name, f in found.items() if f.light is Light.RED} == set()
    assert found["keys"].light is Light.YELLOW
    assert "allow_unsigned: false" in found["keys"].do
    assert found["recipes"].said == "1 would be opened"


def test_a_signed_cell_behind_its_door_is_green(folder: Path) -> None:
    found = look(Put().machine(_signed(folder, timedelta(days=400))))
    assert {f.light for f in found.values()} == {Light.GREEN, Light.OFF}, found
    assert found["keys"].said == "1 peers; recipes of qa"


def test_a_signature_that_ends_soon_is_told_before_the_line_stands_still(folder: Path) -> None:
    calibration = _tiny_calibration(folder)
    shutil.rmtree(folder / "recipes/tiny")
    manifest = tiny.manifest(part=calibration.part, calibration_digest=calibration.digest)
    write_recipe(folder / "recipes/tiny/1", tiny.parts(manifest=manifest))
    config = _signed(folder, timedelta(days=3))
    _tiny_calibration(folder)
    named = config.recipes.model_copy(update={"default": "tiny"})
    finding = look(Put().machine(config.model_copy(update={"recipes": named})))["recipes"]
    assert finding.light is Light.YELLOW, finding
    assert "voxgate sign" in finding.do


def test_a_default_recipe_of_another_calibration_is_red_before_the_service_says_so(
    folder: Path,
) -> None:
    config = _signed(folder, timedelta(days=400))
    named = config.recipes.model_copy(update={"default": "tiny"})
    finding = look(Put().machine(config.model_copy(update={"recipes": named})))["recipes"]
    assert finding.light is Light.RED
    assert "is for part 'tiny'" in finding.said


@pytest.mark.parametrize("colour", [True, False])
def test_a_recipe_in_colour_is_prepared_by_a_cell_that_sees_grey(
    folder: Path, colour: bool
) -> None:
    calibration = _tiny_calibration(folder)
    shutil.rmtree(folder / "recipes/tiny")
    image = TensorSpec(name="image", dtype="uint8", shape=(1, 3, *tiny.SHAPE[2:]))
    known = {"part": calibration.part, "calibration_digest": calibration.digest}
    manifest = tiny.manifest(**known, inputs=(image,))
    write_recipe(folder / "recipes/tiny/1", tiny.parts(manifest=manifest))
    config = _signed(folder, timedelta(days=400))
    _tiny_calibration(folder)
    camera = config.cameras[0].model_copy(update={"colour": colour})
    named = config.recipes.model_copy(update={"default": "tiny"})
    changed = config.model_copy(update={"recipes": named, "cameras": (camera,)})
    finding = look(Put().machine(changed))["recipes"]
    assert (finding.light is Light.RED) is not colour
    assert ("was taught in colour, the cell's pictures are grey" in finding.said) is not colour


def _tiny_calibration(folder: Path) -> Calibration:
    """The cell's, of pictures as small as the recipe's."""
    file = folder / "calibration.json"
    small_calibration(file)
    fields = json.loads(file.read_text("utf-8"))
    fields["image_size"] = {"width": tiny.SHAPE[3], "height": tiny.SHAPE[2]}
    fields["K"] = [[c * 0.4 for c in row] for row in fields["K"][:2]] + [fields["K"][2]]
    file.write_text(json.dumps(fields), encoding="utf-8")
    return Calibration.load(file)


def _signed(folder: Path, lasts: timedelta) -> CellConfig:
    pem, public = make_signer(folder, "qa", None)
    recipe = folder / "recipes/tiny/1"
    manifest = (recipe / MANIFEST_FILE).read_bytes()
    write_signature(recipe, sign(manifest, load_signer(pem, None), utc_now() + lasts))
    secret, _ = make_key_pair(folder, "box")
    _, robot = make_key_pair(folder, "robot")
    peer = {
        "name": "robot",
        "public_key": robot.public.decode(),
        "roles": ["poses", "commands", "frames"],
    }
    return cell(
        folder,
        recipes={"allow_unsigned": False, "signers": [{"name": "qa", "public_key": public}]},
        security={"secret_key": str(secret), "peers": [peer]},
    )


def _open_secret(folder: Path) -> None:
    (folder / "box.key_secret").chmod(0o644)


def _other_model(folder: Path) -> None:
    (folder / "recipes/tiny/1/model.onnx").write_bytes(b"another")


def _no_recipe(folder: Path) -> None:
    (folder / "recipes/tiny/1/manifest.json").unlink()


def _torn_calibration(folder: Path) -> None:
    (folder / "calibration.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "check", "light", "words"),
    [
        (_open_secret, "keys", Light.RED, "voxgate keys box"),
        (_other_model, "recipes", Light.YELLOW, "voxgate recipe list"),
        (_no_recipe, "recipes", Light.YELLOW, "voxgate recipe install"),
        (_torn_calibration, "calibration", Light.RED, "calibration.json"),
    ],
)
def test_what_ails_a_cell_is_named_with_what_to_type(
    folder: Path, spoil: Callable[[Path], None], check: str, light: Light, words: str
) -> None:
    config = _signed(folder, timedelta(days=400))
    spoil(folder)
    finding = look(Put().machine(config))[check]
    assert finding.light is light
    assert words in finding.do


@pytest.mark.parametrize(
    ("free", "light"), [(50 << 20, Light.RED), (500 << 20, Light.YELLOW), (1 << 40, Light.GREEN)]
)
def test_a_disk_that_runs_full_is_told_in_time(folder: Path, free: int, light: Light) -> None:
    machine = replace(Put().machine(cell(folder)), free_bytes=lambda path: free)
    assert look(machine)["disk"].light is light


def test_a_folder_of_somebody_else_is_red_before_the_first_job(folder: Path) -> None:
    machine = replace(Put().machine(cell(folder)), may_use=lambda path: False)
    finding = look(machine)["disk"]
    assert finding.light is Light.RED
    assert "sudo -u voxgate" in finding.do


@pytest.mark.parametrize(
    ("free", "mine", "light"),
    [(1 << 40, True, Light.GREEN), (1 << 20, True, Light.YELLOW), (1 << 40, False, Light.YELLOW)],
)
def test_recordings_that_cannot_be_kept_are_told_and_stop_no_line(
    folder: Path, free: int, mine: bool, light: Light
) -> None:
    config = cell(folder, evidence={"folder": str(folder / "evidence")})
    machine = replace(
        Put().machine(config), free_bytes=lambda path: free, may_use=lambda path: mine
    )
    assert look(machine)["evidence"].light is light


@pytest.mark.parametrize(
    ("queue_mb", "free_kb", "light", "words"),
    [
        (512, 16_000_000, Light.GREEN, ""),
        (1, 16_000_000, Light.YELLOW, "evidence.queue_mb"),
        (512, 3000, Light.YELLOW, "slots"),
    ],
)
def test_frames_that_memory_or_recorder_cannot_hold_are_found_out_in_the_first_large_job(
    folder: Path, queue_mb: int, free_kb: int, light: Light, words: str
) -> None:
    evidence = {"folder": str(folder / "evidence"), "queue_mb": queue_mb}
    config = cell(folder, evidence=evidence, job={"queue_views": 256})
    put = Put()
    put.files["/proc/meminfo"] = f"MemAvailable: {free_kb} kB"
    finding = look(put.machine(config))["frames"]
    assert finding.light is light, finding
    assert words in finding.do


# --- ports ---------------------------------------------------------------------------------------


def test_a_port_that_another_program_has_is_red_and_free_again_afterwards(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        config = cell(folder, sockets={"commands": endpoint})
        finding = look(Put().machine(config))["ports"]
        assert finding.light is Light.RED
        assert finding.said.startswith("sockets.commands: port")
        assert finding.do.startswith("sudo ss -ltnp")
    assert look(Put().machine(config))["ports"].light is Light.GREEN


def test_ports_of_the_running_service_are_not_taken_for_somebody_elses(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        config = cell(folder, sockets={"commands": f"tcp://127.0.0.1:{own.getsockname()[1]}"})
        put = Put()
        journal = Journal(config.journal.path)
        try:
            put.files["/proc/locks"] = Path("/proc/locks").read_text("utf-8")
            finding = look(put.machine(config))["ports"]
        finally:
            journal.close()
    assert finding == Finding(Light.GREEN, "bound by the running service")


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("tcp://192.0.2.1:5556", "no interface"),  # RFC 5737: nobody's address
        ("ipc:///no/such/folder/poses", "is not there"),
    ],
)
def test_an_endpoint_that_cannot_be_here_says_why(endpoint: str, words: str) -> None:
    taken = why_taken(endpoint)
    assert taken is not None
    assert words in taken.why
    assert not taken.in_use


def test_a_file_that_a_dead_service_left_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "poses"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen(1)
        taken = why_taken(f"ipc://{path}")
        assert taken is not None
        assert taken.in_use
    assert path.exists()
    assert why_taken(f"ipc://{path}") is None


# --- cameras -------------------------------------------------------------------------------------


def _camera_cell(folder: Path, producer: Path, serial: str = "0") -> CellConfig:
    file = write_cell(folder)
    camera = {
        **{"name": "cam0", "source": "genicam", "producer": str(producer)},
        **{"serial_number": serial, "exposure_us": 500.0, "timestamp": "arrival"},
    }
    lines = file.read_text("utf-8")
    start, end = lines.index("cameras:"), lines.index("sockets:")
    file.write_text(f"{lines[:start]}cameras: [{json.dumps(camera)}]\n{lines[end:]}", "utf-8")
    return load_cell(file).config


@pytest.mark.slow
def test_the_camera_of_the_cell_is_seen_through_its_producer(folder: Path) -> None:
    config = _camera_cell(folder, VIKY)
    found = look(Machine(config))
    assert found["producers"] == Finding(Light.GREEN, "viky.cti")
    assert found["camera"] == Finding(Light.GREEN, "0 is free")


@pytest.mark.slow
def test_a_camera_that_is_not_plugged_in_is_red_and_the_others_are_named(folder: Path) -> None:
    finding = look(Machine(_camera_cell(folder, VIKY, serial="4711")))["camera"]
    assert finding.light is Light.RED
    assert "4711 is not seen (seen: 0, 1, 2)" in finding.said


@pytest.mark.parametrize("launched", [True, False])
def test_nobody_is_told_that_a_driver_could_read_the_boxs_keys(
    folder: Path, launched: bool
) -> None:
    config = _camera_cell(folder, VIKY)
    machine = replace(Put().machine(config), may_use=lambda path: launched)
    finding = CAMERA_CHECKS["camera's user"](machine)
    assert finding.light is (Light.GREEN if launched else Light.YELLOW)
    assert launched or "may read its keys" in finding.said


def test_a_producer_of_another_processor_is_red(tmp_path: Path, folder: Path) -> None:
    producer = tmp_path / "camera.cti"
    config = _camera_cell(folder, VIKY)
    camera = config.cameras[0].model_copy(update={"producer": producer})
    machine = Put().machine(config.model_copy(update={"cameras": (camera,)}))
    for content, words in (
        (b"\x7fELF\x02\x01" + bytes(12) + (183).to_bytes(2, "little"), "is made for aarch64"),
        (b"MZ" + bytes(30), "is no library of Linux"),
        (b"", "is no library of Linux"),
    ):
        producer.write_bytes(content)
        finding = look(machine)["producers"]
        assert finding.light is Light.RED
        assert words in finding.said


def test_producers_of_the_machine_are_listed_without_a_cell(tmp_path: Path) -> None:
    put = Put(environ={"GENICAM_GENTL64_PATH": f"{VIKY.parent}:"})
    machine = replace(put.machine(), glob=lambda pattern: [str(VIKY)] if "cti" in pattern else [])
    assert look(machine)["producers"] == Finding(Light.GREEN, "viky.cti")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({RMEM: "212992"}, "net.core.rmem_max"),
        ({RMEM: str(32 << 20), USBFS: "16", "/dev/bus/usb/*/*": ""}, "usbfs_memory_mb"),
    ],
)
def test_kernel_buffers_that_lose_frames_are_told(
    folder: Path, files: dict[str, str], words: str
) -> None:
    put = Put(files=files)
    finding = look(put.machine(_camera_cell(folder, VIKY)))["camera link"]
    assert finding.light is Light.YELLOW
    assert words in finding.do


@pytest.mark.parametrize(
    ("said", "light", "words"),
    [
        (PTP_SLAVE, Light.GREEN, "follows a grandmaster, -27 ns off"),
        (PTP_SLAVE.replace("true", "false"), Light.GREEN, "is grandmaster"),
        ("sending: GET TIME_STATUS_NP\n", Light.YELLOW, "no ptp4l answers"),
        (None, Light.YELLOW, "no ptp4l answers"),
    ],
)
def test_ptp_is_looked_at_where_the_cell_goes_by_it(
    folder: Path, said: str | None, light: Light, words: str
) -> None:
    put = Put()
    put.said.update({"pmc": said} if said is not None else {})
    config = cell(folder)
    config = config.model_copy(update={"sync": config.sync.model_copy(update={"clocks": "ptp"})})
    finding = look(put.machine(config))["PTP"]
    assert finding.light is light
    assert words in finding.said


# --- the command ---------------------------------------------------------------------------------


def test_a_broken_configuration_is_one_red_row_and_the_machine_is_looked_at_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_cell(tmp_path, sockets={"heartbeat_ms": 1})
    monkeypatch.setattr(sys, "argv", ["voxgate", "doctor", "-c", str(file), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    first, *others = json.loads(capsys.readouterr().out)["checks"]
    assert (first["check"], first["light"]) == ("configuration", "red")
    assert "heartbeat_ms" in first["found"]
    assert "Python" in {check["check"] for check in others}
