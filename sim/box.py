"""The real service in a process of its own, configured for ports that are free here.

with Box.start(folder, calibration, recipes, "bracket/1") as box:
    with VirtualCell(wires_from_config(box.config)) as cell:
        ...
"""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.geometry.calibration import Calibration

STOP_TIMEOUT_S = 20.0
CONFIG_NAME = "cell.yaml"
LOG_NAME = "service.log"
LOG_LINES_SHOWN = 5
BOTH = {"Intensity": "Mono8", "Range": "Coord3D_C16"}


def voxgate(*arguments: str) -> list[str]:
    """The command line of `voxgate ARGUMENTS`: the console script of this very environment."""
    script = Path(sys.executable).with_name("voxgate")
    if script.exists():
        return [str(script), *arguments]
    return [sys.executable, "-c", "from voxgate.runtime.cli import main; main()", *arguments]


@dataclass(frozen=True, slots=True)
class Box:
    """A running `voxgate run CONFIG`."""

    folder: Path
    config: CellConfig
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        folder: Path,
        calibration: Path,
        recipes: Path,
        recipe: str | None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        producer: Path | None = None,
        command: tuple[str, ...] = ("run",),
        further: Mapping[str, Path] = MappingProxyType({}),
        colour: bool = False,
    ) -> Box:
        """Write `cell.yaml` into `folder` and start the service; it may take seconds to be READY.

        command: of voxgate, the YAML's path is put behind it. further: calibration of each camera
        after the first, whose name is cam0.

        settings: sections of the YAML to change, such as {"job": {"late_frame_ms": 500}};
        "cameras" changes each of them.
        producer: the GenTL producer of virtual cameras; None: frames come by network. colour:
        whether the camera sees colour.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / CONFIG_NAME
        content = _content(calibration, recipes, recipe, folder / "journal.sqlite", producer)
        if colour:
            content["cameras"] = [_in_colour(camera) for camera in content["cameras"]]
        content["cameras"] += _further(further, producer)
        for section, values in (settings or {}).items():
            content[section] = (
                [{**camera, **values} for camera in content[section]]
                if section == "cameras"
                else {**content.get(section, {}), **values}
            )
        file.write_text(json.dumps(content, indent=2), encoding="utf-8")  # JSON is YAML
        config = load_cell(file, without=None if command == ("run",) else "recipes").config
        with (folder / LOG_NAME).open("wb") as log:
            process = subprocess.Popen(
                voxgate(*command, str(file)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return cls(folder, config, process)

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def last_words(self) -> str:
        """The end of the service's log, for a message."""
        lines = (self.folder / LOG_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    def check_alive(self) -> None:
        """Raises ServiceError with the service's last words when it has ended."""
        code = self.process.poll()
        if code is not None:
            raise ServiceError(f"the service ended with {code}: {self.last_words()}")

    def stop(self) -> int:
        """SIGTERM, as systemd would; returns the exit code, negative if it had to be killed."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _content(
    calibration: Path, recipes: Path, recipe: str | None, journal: Path, producer: Path | None
) -> dict[str, Any]:
    poses, commands, verdicts, pictures, frames, metrics, sensed = free_ports(7)
    has_sensor = Calibration.load(calibration).sensor is not None
    of_camera = {"Intensity": "Mono8"} if has_sensor else BOTH
    beside = (
        _network(sensed, "sensor0")
        if producer is None
        else _genicam(producer, {"Range": "Coord3D_ABC32f"}, "sensor0")
    )
    return {
        "schema_version": 1,
        "cell": "virtual-1",
        "is_simulated": True,
        "calibration": str(calibration.resolve()),
        "recipes": {"folder": str(recipes.resolve()), "default": recipe, "allow_unsigned": True},
        "cameras": [_network(frames) if producer is None else _genicam(producer, of_camera)],
        **({"sensor": beside} if has_sensor else {}),
        "sockets": {
            "poses": f"tcp://127.0.0.1:{poses}",
            "commands": f"tcp://127.0.0.1:{commands}",
            "verdicts": f"tcp://127.0.0.1:{verdicts}",
            "pictures": f"tcp://127.0.0.1:{pictures}",
            "heartbeat_ms": 200,
        },
        "journal": {"path": str(journal.resolve())},
        "metrics": {"port": metrics},
    }


def _further(further: Mapping[str, Path], producer: Path | None) -> list[dict[str, Any]]:
    ports = free_ports(len(further))
    return [
        {
            **(_network(port, name) if producer is None else _genicam(producer, BOTH, name)),
            "calibration": str(file.resolve()),
        }
        for port, (name, file) in zip(ports, further.items(), strict=True)
    ]


def _network(port: int, name: str = "cam0") -> dict[str, Any]:
    return {"name": name, "source": "network", "endpoint": f"tcp://127.0.0.1:{port}"}


def _genicam(producer: Path, components: Mapping[str, str], name: str = "cam0") -> dict[str, Any]:
    """As configs/bracket_cell.yaml shows it: triggered by the robot, stamped by the camera."""
    return {
        "name": name,
        "source": "genicam",
        "producer": str(producer),
        "serial_number": f"cell-{secrets.token_hex(4)}",
        "setup": {
            "user_set": "Default",
            "components": dict(components),
            "exposure_us": 8000.0,
            "trigger": {"source": "Line1", "activation": "RisingEdge"},
            "chunks": ["Timestamp", "FrameID", "ExposureTime"],
        },
        "timestamp_node": "ChunkTimestamp",
        "exposure_node": "ChunkExposureTime",
    }


def _in_colour(camera: dict[str, Any]) -> dict[str, Any]:
    if camera["source"] == "network":
        return {**camera, "colour": True}
    components = {**camera["setup"]["components"], "Intensity": "RGB8"}
    return {**camera, "colour": True, "setup": {**camera["setup"], "components": components}}


def free_ports(count: int) -> list[int]:
    """TCP ports of this machine that nobody has; another program may take them meanwhile."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]
