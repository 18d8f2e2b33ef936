"""The doctor names what is missing, row by row, with what to type; only red ends badly."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.kits import fake_tensorrt, gpu_kit
from tests.kits.gpu_kit import Box
from tests.kits.repository import ROOT
from voxgate.runtime.cli import main
from voxgate.runtime.commands.doctor import CHECKS as ALL_CHECKS
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.doctor import gpu as doctor_gpu
from voxgate.runtime.doctor.apart import examine_apart
from voxgate.runtime.doctor.gpu import GPU_CHECKS as CHECKS
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Finding, Light, Row, examine, green, healthy, red
from voxgate.runtime.gpu.jetson import jetpack_of, jetpacks_with, l4t_of

L4T_36_4 = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"
GPU_CLOCK = "/sys/class/devfreq/17000000.gpu"
ORIN = {
    "/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit",
    "/etc/nv_tegra_release": L4T_36_4,
    "/dev/nvhost-gpu": "",
    "/dev/nvmap": "",
    GPU_CLOCK: "",
    f"{GPU_CLOCK}/min_freq": "1300500000",
    f"{GPU_CLOCK}/max_freq": "1300500000",
}
PC = {
    "/sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de",
    "/dev/nvidia0": "",
    "/dev/nvidiactl": "",
}
MAXN = "NV Power Mode: MAXN\n0\n"
SMI = "NVIDIA RTX 4000 Ada, 580.65, 20475 MiB"
SMI_CLOCKS = "Enabled, 2175 MHz, 2175 MHz"


@dataclass
class Put:
    """A machine made of files, commands and what this user may open."""

    files: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    config: CellConfig | None = None

    def machine(self) -> Machine:
        return Machine(
            config=self.config,
            run=lambda command: next(
                (said for piece, said in self.commands.items() if piece in " ".join(command)), None
            ),
            read=self.files.get,
            glob=lambda pattern: [path for path in self.files if Path(path).match(pattern)],
            may_use=lambda path: path not in self.closed,
        )


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    made = gpu_kit.install(monkeypatch)
    monkeypatch.setattr(doctor_gpu, "find_compiler", lambda: None)
    yield made
    assert not any(made.gpu.contexts.values())


@pytest.fixture
def orin(box: Box) -> Put:
    return Put(dict(ORIN), {"nvpmodel": MAXN})


@pytest.fixture
def pc(box: Box) -> Put:
    return Put(dict(PC), {"driver_version": SMI, "persistence_mode": SMI_CLOCKS})


def look(put: Put) -> dict[str, Finding]:
    return {row.check: row.finding for row in examine(put.machine(), CHECKS)}


def test_an_orin_as_it_should_be_has_no_red_and_no_yellow(orin: Put) -> None:
    found = look(orin)
    assert {f.light for f in found.values()} == {Light.GREEN, Light.OFF}
    assert "JetPack 6.1 or 6.2 (L4T 36.4): CUDA 12.6, TensorRT 10.3" in found["JetPack"].said
    assert found["TensorRT"].said.startswith("TensorRT 10.3.0 (as in JetPack 6.1 or 6.2)")
    assert "by pycuda 2026.1: Numpy Orin (sm_87, 16 multiprocessors)" in found["CUDA"].said
    assert found["clocks"].said == "GPU fixed at 1300 MHz"


def test_a_pc_as_it_should_be_has_no_red_and_no_yellow(pc: Put) -> None:
    found = look(pc)
    assert {f.light for f in found.values()} == {Light.GREEN, Light.OFF}
    assert found["driver"].said == SMI


def test_a_machine_without_a_gpu_has_nothing_to_complain_of() -> None:
    found = look(Put())
    assert {f.light for f in found.values()} == {Light.OFF}


def _closed(put: Put) -> None:
    put.closed = ("/dev/nvmap",)


def _no_nodes(put: Put) -> None:
    del put.files["/dev/nvhost-gpu"]


def _old_jetpack(put: Put) -> None:
    put.files["/etc/nv_tegra_release"] = L4T_36_4.replace("R36", "R35")


def _unknown_jetpack(put: Put) -> None:
    put.files["/etc/nv_tegra_release"] = L4T_36_4.replace("R36", "R41")


def _other_jetpack(put: Put) -> None:
    put.files["/etc/nv_tegra_release"] = L4T_36_4.replace("REVISION: 4.3", "REVISION: 3.0")


def _container(put: Put) -> None:
    del put.files["/etc/nv_tegra_release"]


def _saving(put: Put) -> None:
    put.commands["nvpmodel"] = "NV Power Mode: MODE_30W\n2\n"


def _no_nvpmodel(put: Put) -> None:
    put.commands.clear()


def _free_clocks(put: Put) -> None:
    put.files[f"{GPU_CLOCK}/min_freq"] = "306000000"


def _hidden_clocks(put: Put) -> None:
    del put.files[f"{GPU_CLOCK}/min_freq"]


def _no_devfreq(put: Put) -> None:
    for path in [path for path in put.files if path.startswith(GPU_CLOCK)]:
        del put.files[path]


AILING = {
    "a closed device node": (_closed, "device nodes", Light.RED, "usermod -aG video,render"),
    "no device node": (_no_nodes, "driver", Light.RED, "--runtime nvidia"),
    "JetPack 5": (_old_jetpack, "JetPack", Light.RED, "update to JetPack 6"),
    "a JetPack of the future": (_unknown_jetpack, "JetPack", Light.YELLOW, "voxgate build proves"),
    "no JetPack file": (_container, "JetPack", Light.YELLOW, "mount it"),
    "TensorRT of another JetPack": (_other_jetpack, "TensorRT", Light.YELLOW, "python3-libnvinfer"),
    "a saving power mode": (_saving, "power mode", Light.YELLOW, "nvpmodel -m 0"),
    "no nvpmodel": (_no_nvpmodel, "power mode", Light.YELLOW, "nvpmodel -q"),
    "free clocks": (_free_clocks, "clocks", Light.YELLOW, "sudo jetson_clocks"),
    "hidden clocks": (_hidden_clocks, "clocks", Light.YELLOW, "jetson_clocks --show"),
    "no clock at all": (_no_devfreq, "clocks", Light.YELLOW, "jetson_clocks --show"),
}


@pytest.mark.parametrize("case", AILING)
def test_what_ails_an_orin_is_named_with_what_to_type(orin: Put, case: str) -> None:
    spoil, check, light, words = AILING[case]
    spoil(orin)
    finding = look(orin)[check]
    assert finding.light is light
    assert words in finding.do


@pytest.mark.parametrize(
    ("command", "said", "check", "light", "words"),
    [
        ("driver_version", None, "driver", Light.RED, "install the NVIDIA driver"),
        ("persistence_mode", None, "clocks", Light.YELLOW, "row of the driver"),
        (
            "persistence_mode",
            "Disabled, 300 MHz, 2175 MHz",
            "clocks",
            Light.YELLOW,
            "nvidia-smi -pm 1",
        ),
    ],
)
def test_what_ails_a_pc_is_named_with_what_to_type(
    pc: Put, command: str, said: str | None, check: str, light: Light, words: str
) -> None:
    del pc.commands[command]
    if said is not None:
        pc.commands[command] = said
    finding = look(pc)[check]
    assert finding.light is light
    assert words in finding.do


def test_a_missing_tensorrt_is_red_only_where_the_cell_needs_it(
    orin: Put, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "tensorrt")
    assert look(orin)["TensorRT"].light is Light.YELLOW
    orin.config = _cell(tmp_path, "tensorrt")
    finding = look(orin)["TensorRT"]
    assert finding.light is Light.RED
    assert "--system-site-packages" in finding.do


def test_a_broken_tensorrt_is_red_with_its_own_words(
    orin: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    finding = look(orin)["TensorRT"]
    assert finding.light is Light.RED
    assert "is not TensorRT" in finding.said


def test_the_tensorrt_that_the_cell_names_is_looked_at_and_no_other(
    pc: Put, box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both in one environment: that the other is there is no comfort for this cell."""
    assert "TensorRT 10.3.0" in look(pc)["TensorRT"].said
    pc.config = _cell(tmp_path, "tensorrt-rtx")
    finding = look(pc)["TensorRT"]
    assert finding.light is Light.RED
    assert "TensorRT for RTX is not installed" in finding.said
    assert "voxgate[rtx]" in finding.do
    fake_tensorrt.install(monkeypatch, box.gpu, "rtx-1.7")
    assert look(pc)["TensorRT"].said.startswith("TensorRT for RTX 1.7.1.116 in")
    pc.config = None
    both = look(pc)["TensorRT"].said
    assert "TensorRT 10.3.0" in both
    assert "TensorRT for RTX 1.7.1.116" in both


def test_two_tensorrts_on_the_path_are_named(
    orin: Put, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "tensorrt").mkdir(parents=True)
        (tmp_path / name / "tensorrt" / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path / name))
    finding = look(orin)["TensorRT"]
    assert finding.light is Light.YELLOW
    assert f"{tmp_path / 'a'}" in finding.said
    assert "remove one" in finding.do


def test_a_foreign_context_is_red(orin: Put, box: Box) -> None:
    stack = box.gpu.contexts.setdefault(threading.get_ident(), [])
    stack.append("what pycuda.autoinit made")
    finding = look(orin)["CUDA"]
    stack.clear()
    assert finding.light is Light.RED
    assert "pycuda.autoprimaryctx" in finding.do


def test_autoinit_in_the_environment_is_told(orin: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.autoinit", ModuleType("pycuda.autoinit"))
    assert look(orin)["CUDA"].light is Light.YELLOW


@pytest.mark.parametrize("call", ["init", "retain_primary_context", "Stream"])
def test_a_gpu_that_does_not_open_is_red(orin: Put, box: Box, call: str) -> None:
    box.gpu.fail[call] = "out of memory"
    finding = look(orin)["CUDA"]
    assert finding.light is Light.RED
    assert "out of memory" in finding.said


def test_a_check_that_fails_by_itself_is_a_row_and_the_round_goes_on() -> None:
    def broken(machine: Machine) -> Finding:
        raise ZeroDivisionError("of its own")

    rows = examine(Machine(), {"first": broken, "second": lambda machine: green("well")})
    assert [row.finding.light for row in rows] == [Light.RED, Light.GREEN]
    assert "ZeroDivisionError: of its own" in rows[0].finding.said
    assert not healthy(rows)


def test_a_library_that_kills_who_loads_it_ends_the_doctors_round() -> None:
    """As one does that a full disk cut off, past every `except`."""

    def killing(machine: Machine) -> Finding:
        os.kill(os.getpid(), signal.SIGKILL)
        return green("not reached")

    def well(machine: Machine) -> Finding:
        return green("well")

    checks: dict[str, Check] = dict(first=well, second=killing, third=killing, fourth=well)
    rows = examine_apart(Machine(), checks)
    assert [row.check for row in rows] == list(checks)
    assert [row.finding.light.value for row in rows] == ["green", "red", "red", "green"]
    assert "kills whoever looks at it (SIGKILL)" in rows[1].finding.said
    assert "df -h" in rows[1].finding.do


def test_a_light_that_is_not_green_must_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="something to do"):
        Finding(Light.RED, "something is wrong")
    with pytest.raises(ValueError, match="or nothing"):
        Finding(Light.GREEN, "all is well", "then why do anything")


# --- the plan ------------------------------------------------------------------------------------


def _cell(tmp_path: Path, backend: str, recipe: str | None = None) -> CellConfig:
    text = (ROOT / "configs" / "bracket_cell.yaml").read_text("utf-8")
    config = load_cell_text(tmp_path, text)
    engine = config.engine.model_copy(update={"backend": backend})
    recipes = config.recipes.model_copy(update={"folder": tmp_path / "recipes", "default": recipe})
    return config.model_copy(update={"engine": engine, "recipes": recipes})


def load_cell_text(tmp_path: Path, text: str) -> CellConfig:
    text = text.replace("../examples", str(ROOT / "examples"))
    text = text.replace("../out/recipes", str(tmp_path))
    text = text.replace("../out/journal.sqlite", str(tmp_path / "journal.sqlite"))
    lines = [line for line in text.splitlines() if not line.startswith("  default: bracket")]
    (tmp_path / "cell.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load_cell(tmp_path / "cell.yaml").config


@pytest.mark.parametrize(
    ("backend", "built", "light"),
    [
        ("tensorrt", True, Light.GREEN),
        ("tensorrt", False, Light.RED),
        ("auto", True, Light.GREEN),
        ("auto", False, Light.YELLOW),
        ("onnxruntime-cpu", False, Light.OFF),
    ],
)
def test_the_plan_of_the_cells_recipe_is_looked_at(
    orin: Put, tmp_path: Path, backend: str, built: bool, light: Light
) -> None:
    from tests.kits import tiny
    from voxgate.export.packing.package import write_recipe
    from voxgate.runtime.plans.plan_cache import PlanCache
    from voxgate.runtime.recipe.recipe import Recipe

    folder = tmp_path / "recipes" / "tiny" / "1"
    write_recipe(folder, tiny.parts())
    if built:
        gpu_kit.build(Recipe.load(folder), PlanCache.beside(folder))
    orin.config = _cell(tmp_path, backend, "tiny/1")
    finding = look(orin)["plan"]
    assert finding.light is light
    if light in (Light.RED, Light.YELLOW):
        assert "voxgate build tiny/1" in finding.do


def test_a_cell_that_needs_a_gpu_on_a_machine_without_one_is_red(tmp_path: Path) -> None:
    found = look(Put(config=_cell(tmp_path, "tensorrt")))
    assert found["GPU"].light is Light.RED
    assert "onnxruntime-cpu" in found["GPU"].do
    assert found["driver"].light is Light.RED


# --- JetPack -------------------------------------------------------------------------------------


def test_jetpacks_are_read_from_their_own_file() -> None:
    assert l4t_of(L4T_36_4) == (36, 4)
    assert l4t_of("something else") is None
    found = jetpack_of((36, 3))
    assert found is not None
    assert (found.versions, found.tensorrt) == ("6.0", "8.6")
    assert jetpack_of((99, 0)) is None
    assert jetpacks_with("10.13.3.9") == "JetPack 7.0 or 7.1"
    assert jetpacks_with("11.4.1") == ""


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("closed", "code"), [((), 0), (("/dev/nvmap",), 1)])
def test_the_exit_code_is_not_0_when_a_row_is_red(
    orin: Put,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    closed: tuple[str, ...],
    code: int,
) -> None:
    machine = replace(orin, closed=closed).machine()
    monkeypatch.setattr("voxgate.runtime.commands.doctor.Machine", lambda: machine)
    for words in (["doctor"], ["doctor", "--json"]):
        monkeypatch.setattr(sys, "argv", ["voxgate", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert int(ended.value.code or 0) == code
    lines = capsys.readouterr().out.strip().splitlines()
    told = json.loads(lines[-1])
    assert told["ok"] == (code == 0)
    assert [check["check"] for check in told["checks"]] == list(ALL_CHECKS)


def test_a_command_is_broken_where_somebody_copies_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "sudo sysctl -w net.core.rmem_max=33554432 net.core.wmem_max=33554432"
    row = Row("kernel buffers", red("too small", command))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("voxgate.runtime.commands.doctor.run_doctor", lambda config: [row])
    monkeypatch.setattr("sys.argv", ["voxgate", "doctor"])
    with pytest.raises(SystemExit):
        main()
    assert f"kernel buffers: {command}\n" in capsys.readouterr().out
