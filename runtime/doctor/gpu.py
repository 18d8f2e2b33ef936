"""What the doctor looks at on a machine with an NVIDIA GPU."""

from __future__ import annotations

import re
import sys

from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.plans import NOT_CONCERNED, plan, tensorrt
from voxgate.runtime.doctor.rows import Check, Finding, green, off, red, yellow
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import LIBRARIES, open_device
from voxgate.runtime.gpu.errors import FOREIGN_CONTEXT
from voxgate.runtime.gpu.jetson import RELEASES, jetpack_of, l4t_of, power_mode
from voxgate.runtime.gpu.kernel_compiler import INSTALL as INSTALL_COMPILER
from voxgate.runtime.gpu.kernel_compiler import Nvrtc, find_compiler
from voxgate.runtime.plans.flavour import FLAVOURS, TENSORRT

FULL_POWER = "MAXN"


def hardware(machine: Machine) -> Finding:
    """Is there a GPU?"""
    if machine.board is not None:
        return green(machine.board)
    if machine.has_gpu:
        return green("an NVIDIA card on the PCI bus")
    if machine.needs_gpu:
        return red("no NVIDIA GPU is here", "choose backend: onnxruntime-cpu in the cell's YAML")
    return off(NOT_CONCERNED)


def driver(machine: Machine) -> Finding:
    """Does the driver run?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    if machine.board is not None:
        return _tegra_driver(machine)
    said = machine.run(
        ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    )
    if said is None:
        return red(
            "nvidia-smi is missing or fails",
            "install the NVIDIA driver (sudo ubuntu-drivers install), then reboot",
        )
    return green(said.strip().splitlines()[0])


def _tegra_driver(machine: Machine) -> Finding:
    nodes = [*machine.glob("/dev/nvhost-gpu"), *machine.glob("/dev/nvgpu/*/ctrl")]
    if not nodes:
        return red(
            "no device node of the GPU (/dev/nvhost-gpu)",
            "in a container: run it with --runtime nvidia; otherwise flash JetPack again",
        )
    return green(f"{nodes[0]} is there")


def devices(machine: Machine) -> Finding:
    """May this user open the GPU?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    patterns = ("/dev/nvidia[0-9]", "/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvmap")
    nodes = [node for pattern in patterns for node in machine.glob(pattern)]
    closed = [node for node in nodes if not machine.may_use(node)]
    if closed:
        return red(
            f"this user may not open {', '.join(closed)}",
            "sudo usermod -aG video,render $USER, then log in again; for the service see "
            "systemd/drop-ins",
        )
    return green(f"{len(nodes)} device nodes may be opened") if nodes else off("no device nodes")


def jetpack(machine: Machine) -> Finding:
    """Which JetPack is it?"""
    if machine.board is None:
        return off("not a Jetson")
    release = machine.read("/etc/nv_tegra_release")
    l4t = l4t_of(release or "")
    if l4t is None:
        return yellow(
            "/etc/nv_tegra_release is missing", "in a container: mount it, or run on the host"
        )
    found = jetpack_of(l4t)
    line = "{}.{}".format(*l4t)
    if found is None:
        newest = RELEASES[-1].versions
        return yellow(
            f"L4T {line} is none of the JetPacks known here (up to {newest})",
            "go on if the rows below are green; voxgate build proves the engine",
        )
    if tuple(map(int, found.tensorrt.split("."))) < FLAVOURS[TENSORRT].oldest:
        return red(
            f"JetPack {found.versions} has TensorRT {found.tensorrt}",
            "update to JetPack 6 or newer: TensorRT 8.6 is the oldest served",
        )
    return green(
        f"JetPack {found.versions} (L4T {line}): CUDA {found.cuda}, TensorRT {found.tensorrt}"
    )


def cuda(machine: Machine) -> Finding:
    """Does a CUDA binding open the GPU, in a context that TensorRT can share?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    try:
        device = open_device()
    except EngineError as error:
        if str(error) == FOREIGN_CONTEXT:
            return red("a foreign CUDA context is current (pycuda.autoinit?)", FOREIGN_CONTEXT)
        if "no CUDA binding" in str(error):
            needed = " or ".join(row.install for row in LIBRARIES.values())
            return (red if machine.needs_gpu else yellow)("no CUDA binding is installed", needed)
        return red(str(error).replace("; type: voxgate doctor", ""), "mend the rows above first")
    info, library = device.info, device.library
    device.close()
    if "pycuda.autoinit" in sys.modules:
        return yellow(
            "something in this environment imports pycuda.autoinit",
            "replace it by pycuda.autoprimaryctx: its context is not the one TensorRT uses",
        )
    return green(f"CUDA {info.driver} by {library}: {info}, {info.memory_mb} MB")


def compiler(machine: Machine) -> Finding:
    """Can `voxgate build` compile the fusion kernels?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    try:
        compile_with = find_compiler()
    except EngineError:
        return red("neither NVRTC nor nvcc is here", INSTALL_COMPILER)
    owner = getattr(compile_with, "__self__", None)
    return green("NVRTC" if isinstance(owner, Nvrtc) else "nvcc")


def power(machine: Machine) -> Finding:
    """Does the board's power mode cap the GPU?"""
    if machine.board is None:
        return off("not a Jetson")
    mode = power_mode(machine.run)
    if mode is None:
        return yellow("nvpmodel does not answer", "sudo nvpmodel -q")
    if not mode.upper().startswith(FULL_POWER):
        return yellow(
            f"mode {mode}: clocks and multiprocessors are capped",
            "sudo nvpmodel -m 0, if power and cooling allow; then voxgate build again",
        )
    return green(f"mode {mode}")


def clocks(machine: Machine) -> Finding:
    """Are the clocks fixed, so that the last view is as fast as the first?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    return _tegra_clocks(machine) if machine.board is not None else _card_clocks(machine)


def _tegra_clocks(machine: Machine) -> Finding:
    found = [
        folder
        for folder in machine.glob("/sys/class/devfreq/*")
        if re.search(r"\.(gpu|ga10b|gb10b|gv11b)$", folder)
    ]
    if not found:
        return yellow("the GPU's clock cannot be read", "sudo jetson_clocks --show")
    low, high = (machine.read(f"{found[0]}/{name}_freq") for name in ("min", "max"))
    if low is None or high is None:
        return yellow("the GPU's clock cannot be read", "sudo jetson_clocks --show")
    if low != high:
        return yellow(
            f"GPU between {int(low) // 10**6} and {int(high) // 10**6} MHz: slow after each pause",
            "sudo jetson_clocks (again after every boot)",
        )
    return green(f"GPU fixed at {int(high) // 10**6} MHz")


def _card_clocks(machine: Machine) -> Finding:
    fields = "persistence_mode,clocks.gr,clocks.max.gr"
    said = machine.run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"])
    if said is None:
        return yellow("nvidia-smi does not answer", "look at the row of the driver")
    persistence, now, most = (piece.strip() for piece in said.splitlines()[0].split(","))
    if persistence != "Enabled":
        return yellow(
            "persistence mode is off: the first part of a shift waits for the driver",
            "sudo nvidia-smi -pm 1",
        )
    return green(f"persistence on, GPU at {now} of {most}")


GPU_CHECKS: dict[str, Check] = {
    "GPU": hardware,
    "driver": driver,
    "device nodes": devices,
    "JetPack": jetpack,
    "TensorRT": tensorrt,
    "CUDA": cuda,
    "kernel compiler": compiler,
    "plan": plan,
    "power mode": power,
    "clocks": clocks,
}
