"""What the doctor looks at on every machine: Python, its libraries, processor, memory, clocks."""

from __future__ import annotations

import importlib
import importlib.metadata
import re

from voxgate.runtime.cameras.genicam.libpython import INSTALL, LIBPYTHON
from voxgate.runtime.common.host_memory import MEMINFO, available_mb_in
from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.trusted.installed_kernels import FOLDER, look
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Finding, green, off, red, yellow

OLDEST_PYTHON = (3, 10)
PROCESSORS = ("x86_64", "aarch64")
MB_PER_GIB = 1024
LEAST_MEMORY_GIB = 2  # engine, golden views and volume of a 1 Mpx recipe take 1.2
CLOCK_SOURCES = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
"""Read without leaving the process; the others cost a microsecond and more each time."""
LIBRARIES = {
    "numpy": "numpy",
    "scipy.ndimage": "scipy",
    "numba": "numba",
    "cv2": "opencv-python-headless",
    "zmq": "pyzmq",
    "onnxruntime": "onnxruntime",
    "voxgate.runtime.cameras.genicam.binding": "genicam",
    "cryptography.hazmat.bindings._rust": "cryptography",
}
"""Modules with compiled parts, and the packages they come from."""


def python(machine: Machine) -> Finding:
    """Old enough a box has an old Python."""
    version = ".".join(map(str, machine.python))
    if machine.processor not in PROCESSORS:
        return red(
            f"Python {version} on {machine.processor}",
            f"use a 64-bit system: the libraries have wheels for {' and '.join(PROCESSORS)}",
        )
    if machine.python < OLDEST_PYTHON:
        return red(f"Python {version}", "install Python 3.10 or newer (JetPack 6 has it)")
    return green(f"Python {version} on {machine.processor}")


def libraries(machine: Machine) -> Finding:
    """Does everything compiled load here?"""
    broken = [words for words in map(_why_not, LIBRARIES) if words is not None]
    if broken:
        return red("; ".join(broken), "; ".join(dict.fromkeys(map(_what_helps, broken))))
    versions = (f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "onnxruntime", "pyzmq"))
    return green(f"{len(LIBRARIES)} load: {', '.join(versions)} ...")


def _why_not(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - what was built for another machine fails anyhow
        return f"{LIBRARIES[module]}: {one_line(error)}"
    return None


def _what_helps(why: str) -> str:
    """What to type when a library does not load: often it is the system's part that is missing."""
    if LIBPYTHON in why:
        return INSTALL
    missing = re.search(r"(lib\S+\.so\S*): cannot open shared object file", why)
    if missing is not None:
        return f"install the system's package that has {missing[1]}: apt-file search {missing[1]}"
    return "install VoxGate again in an empty virtual environment"


def kernels(machine: Machine) -> Finding:
    """numba runs what its cache holds: nobody but root may have written it."""
    if not machine.glob(str(FOLDER)):
        return off("compiled beside their sources: a workstation's")
    found = look(FOLDER)
    if found.refused:
        return yellow(f"{found.refused[0]} could be altered by others than root", _INSTALL)
    if not found.taken:
        return yellow("are compiled at each start, half a minute", _INSTALL)
    return green(f"{len(found.taken)} files, compiled by root when this version was installed")


_INSTALL = "sudo systemd/install.sh, this version once more"


def processor(machine: Machine) -> Finding:
    """Cores and how they are clocked."""
    cores = machine.cores()
    threads = 1 if machine.config is None else machine.config.engine.threads
    said = f"{cores} cores for this process"
    if cores < 2:
        return yellow(said, "give it 2 or more: one receives while the other inspects")
    if threads > cores:
        return yellow(f"{said}, engine.threads is {threads}", f"set engine.threads: {cores}")
    governors = {machine.read(path) for path in machine.glob(_GOVERNORS)} - {None}
    if "powersave" in governors:
        return yellow(
            f"{said}, governor powersave: the first view after a pause is slower",
            "sudo cpupower frequency-set -g performance",
        )
    return green(f"{said}{''.join(f', governor {name}' for name in sorted(map(str, governors)))}")


_GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def memory(machine: Machine) -> Finding:
    """What is left for a recipe."""
    free_gib = available_mb_in(machine.read(str(MEMINFO)) or "") / MB_PER_GIB
    if free_gib == 0:
        return off(f"{MEMINFO} tells nothing")
    said = f"{free_gib:.1f} GiB are free"
    if free_gib < LEAST_MEMORY_GIB:
        return yellow(said, "end other programs: a recipe of a 1 Mpx camera takes 1.2 GiB")
    return green(said)


def clock_source(machine: Machine) -> Finding:
    """What the kernel counts time by: every stamp reads it."""
    folder = "/sys/devices/system/clocksource/clocksource0"
    source = machine.read(f"{folder}/current_clocksource")
    if source is None:
        return off("the kernel does not tell")
    if source in CLOCK_SOURCES:
        return green(source)
    return yellow(
        f"{source}: slow to read",
        f"cat {folder}/available_clocksource; boot with clocksource=tsc where it is listed",
    )


def wall_clock(machine: Machine) -> Finding:
    """Only records carry it; deadlines and poses never do."""
    said = machine.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if said is None:
        return yellow(
            "nothing tells whether the wall clock is right",
            "date: compare it with a watch; records and signatures' expiry go by it",
        )
    if said.strip() == "yes":
        return green("follows a time server")
    return yellow(
        "follows no time server: records would carry a wrong time",
        "sudo timedatectl set-ntp true, or a time server of the plant in timesyncd.conf",
    )


def ptp(machine: Machine) -> Finding:
    """Camera and robot follow one grandmaster; often this box is it."""
    if machine.config is None or machine.config.sync.clocks != "ptp":
        return off("sync.clocks is not ptp: clocks are estimated from arrivals")
    said = machine.run(["pmc", "-u", "-b", "0", "GET TIME_STATUS_NP"])
    if said is None or "TIME_STATUS_NP" not in said.partition("RESPONSE")[2]:
        return yellow(
            "no ptp4l answers on this box",
            "sudo apt install linuxptp; right if another device is the grandmaster",
        )
    offset = re.search(r"master_offset\s+(-?\d+)", said)
    role = "follows a grandmaster" if re.search(r"gmPresent\s+true", said) else "is grandmaster"
    return green(f"ptp4l runs: this box {role}{f', {offset[1]} ns off' if offset else ''}")


HOST_CHECKS: dict[str, Check] = {
    "Python": python,
    "libraries": libraries,
    "kernels": kernels,
    "processor": processor,
    "memory": memory,
    "clock source": clock_source,
    "wall clock": wall_clock,
    "PTP": ptp,
}
"""In the order of the table."""
