"""What the doctor looks at for GenICam cameras: producers, the camera, what carries its frames."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from voxgate.runtime.cameras.launched_process import LAUNCHER
from voxgate.runtime.common.elf import HEADER_BYTES, processor_of
from voxgate.runtime.config.cameras import GenicamCamera
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Finding, green, off, red, yellow

SEARCH_PATH = "GENICAM_GENTL64_PATH"  # GenTL standard 1.6, section 6.1.2
LEAST_RMEM = 8 << 20  # two frames of 4 Mpx may wait while the receiving thread does not run
LEAST_USBFS_MB = 1000  # 16 buffers of 12 Mpx and their depth
_LIST = "from voxgate.runtime.cli import main; main()"


def producers(machine: Machine) -> Finding:
    """Is the GenTL file there, and made for this processor?"""
    if machine.config is None:
        return _installed(machine)
    cameras = [c for c in machine.config.devices if isinstance(c, GenicamCamera)]
    if not cameras:
        return off("the cell's frames come over a socket")
    for camera in cameras:
        problem = _problem(camera.producer, machine.processor)
        if problem is not None:
            return red(f"{camera.producer} {problem}", _MEND)
    return green(", ".join(camera.producer.name for camera in cameras))


_MEND = "install the camera maker's package for this processor, and name its .cti in the YAML"


def _installed(machine: Machine) -> Finding:
    folders = [folder for folder in machine.environ.get(SEARCH_PATH, "").split(":") if folder]
    found = [Path(path) for folder in folders for path in machine.glob(f"{folder}/*.cti")]
    if not found:
        return off(f"{SEARCH_PATH} names none")
    foreign = [path for path in found if _problem(path, machine.processor)]
    if foreign:
        return yellow(f"{foreign[0]} {_problem(foreign[0], machine.processor)}", _MEND)
    return green(", ".join(sorted(path.name for path in found)))


def _problem(path: Path, processor: str) -> str | None:
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    made_for = processor_of(header)
    if made_for is None:
        return "is no library of Linux"
    return None if made_for == processor else f"is made for {made_for}, this is {processor}"


def camera(machine: Machine) -> Finding:
    """Does its producer see it? Asked in a process of its own, as vendors' libraries may crash."""
    found: dict[str, dict[str, Any]] = {}
    wanted = _wanted(machine)
    if not wanted:
        return off("no GenICam camera is configured")
    for section in wanted:
        command = [sys.executable, "-c", _LIST, "camera", "list", str(section.producer), "--json"]
        said = machine.run(command)
        if said is None:
            producer = section.producer
            return red(f"{producer.name} lists no cameras", f"voxgate camera list {producer}")
        found |= {row["serial_number"]: row for row in json.loads(said)["cameras"]}
    missing = [section.serial_number for section in wanted if section.serial_number not in found]
    if missing:
        seen = ", ".join(found) or "none"
        return red(
            f"{missing[0]} is not seen (seen: {seen})", "check power, cable, address, serial_number"
        )
    states = ", ".join(f"{c.serial_number} is {found[c.serial_number]['status']}" for c in wanted)
    return green(states)


def driver_user(machine: Machine) -> Finding:
    """A driver is its vendor's native code: as the service it could read the box's keys."""
    if not _wanted(machine):
        return off("no GenICam camera is configured")
    if machine.may_use(str(LAUNCHER)):
        return green("drivers get a user of their own from systemd")
    return yellow(
        "drivers run as the service itself and may read its keys",
        "sudo systemd/install.sh, then sudo systemctl start voxgate-camera.socket",
    )


def link(machine: Machine) -> Finding:
    """Buffers of the kernel that are too small lose frames under load."""
    if not _wanted(machine):
        return off("no GenICam camera is configured")
    rmem = _number(machine.read("/proc/sys/net/core/rmem_max"))
    usbfs = _number(machine.read("/sys/module/usbcore/parameters/usbfs_memory_mb"))
    if rmem is not None and rmem < LEAST_RMEM:
        return yellow(
            f"network buffers of {rmem >> 10} KiB: GigE cameras would lose frames",
            f"sudo sysctl -w net.core.rmem_max={4 * LEAST_RMEM}, and in /etc/sysctl.d",
        )
    if usbfs is not None and usbfs < LEAST_USBFS_MB and machine.glob("/dev/bus/usb/*/*"):
        return yellow(
            f"USB buffers of {usbfs} MB: USB3 cameras would lose frames",
            f"boot with usbcore.usbfs_memory_mb={LEAST_USBFS_MB}",
        )
    return green("the kernel's buffers are large enough")


def _wanted(machine: Machine) -> list[GenicamCamera]:
    cameras = () if machine.config is None else machine.config.devices
    return [camera for camera in cameras if isinstance(camera, GenicamCamera)]


def _number(text: str | None) -> int | None:
    match = re.match(r"\d+", text or "")
    return int(match[0]) if match else None


CAMERA_CHECKS: dict[str, Check] = {
    "producers": producers,
    "camera": camera,
    "camera's user": driver_user,
    "camera link": link,
}
"""In the order of the table."""
