"""The YAML of a new cell: short, commented, and what every key is about stands behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from voxgate.runtime.common.labels import NAME as RECIPE_NAME
from voxgate.runtime.config.fields import NAME as CELL_NAME
from voxgate.runtime.errors import ConfigError

FRAMES_PORT, PICTURES_PORT, METRICS_PORT = 3, 4, 9  # behind the first port, which poses have


@dataclass(frozen=True, slots=True)
class NewCell:
    """Answers. producer: a GenTL file, None: frames by network; keys: lines of `security:`."""

    cell: str
    part: str
    address: str = "127.0.0.1"
    first_port: int = 5560
    producer: Path | None = None
    serial_number: str = ""
    interface: str | None = None
    keys: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ConfigError for a name or an address that no cell may have."""
        for what, name, allowed in (
            ("cell", self.cell, CELL_NAME),
            ("part", self.part, RECIPE_NAME),
        ):
            if re.fullmatch(allowed, name) is None:
                raise ConfigError(f"{what}: {name!r}: allowed is {allowed}")
        try:
            ip_address(self.address)
        except ValueError as error:
            raise ConfigError(f"address: {error}: give an IP address of this box") from None

    def endpoint(self, behind: int) -> str:
        """Bound by the box, so many ports behind the first."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tcp://{host}:{self.first_port + behind}"

    def to_yaml(self) -> str:
        """The file's content."""
        return "\n".join([*self._head(), *self._camera(), *self._rest(), *self.keys, ""])

    def _head(self) -> Iterator[str]:
        simulated = str(self.producer is None).lower()
        yield "# One cell: robot, camera, fixture, box. `voxgate check` names what is wrong in it,"
        yield "# by line and key; docs/reference/configuration.md has every key with its range."
        yield "# Paths are relative to this file."
        yield "schema_version: 1"
        yield f"cell: {self.cell}   # part of every topic: verdict.{self.cell}"
        yield f"is_simulated: {simulated}   # stands in every verdict; false on a line"
        yield "calibration: calibration.json   # made by `voxgate calib`, in three steps"
        yield ""
        yield "recipes:"
        yield "  folder: recipes   # name/version/"
        yield f"  # default: {self.part}/1   # served from the start on; uncomment it then"
        yield "  allow_unsigned: true   # on a line: false, and `signers:`"
        yield ""

    def _camera(self) -> Iterator[str]:
        yield "cameras:"
        yield "  - name: cam0   # label in faults and metrics"
        if self.producer is None:
            yield "    source: network   # of a virtual or a remote camera"
            yield f"    endpoint: {self.endpoint(FRAMES_PORT)}"
            return
        yield "    source: genicam"
        yield f"    producer: {self.producer}"
        yield f'    serial_number: "{self.serial_number}"   # `voxgate camera list` shows them'
        if self.interface is not None:
            yield f"    interface: {self.interface}   # of several that reach it"
        yield "    setup:   # written when the camera is opened, and read back"
        yield "      user_set: Default"
        yield "      components: {Intensity: Mono8, Range: Coord3D_C16}"
        yield "      exposure_us: 8000"
        yield "      trigger: {source: Line1, activation: RisingEdge}   # the robot's output"
        yield "      chunks: [Timestamp, FrameID, ExposureTime]"
        yield "    timestamp_node: ChunkTimestamp"
        yield "    exposure_node: ChunkExposureTime"

    def _rest(self) -> Iterator[str]:
        yield ""
        yield "sockets:   # the box binds them; the robot connects"
        for behind, name in enumerate(("poses", "commands", "verdicts")):
            yield f"  {name}: {self.endpoint(behind)}"
        port = self.first_port + PICTURES_PORT
        yield f"  pictures: tcp://127.0.0.1:{port}   # of the cameras, for `voxgate page`"
        yield ""
        yield "job:"
        yield "  deadline_ms: 30000   # start_job to verdict; later is INDETERMINATE"
        yield "journal:"
        yield "  path: journal.sqlite   # as a service: below /var/lib/voxgate"
        yield "evidence:"
        yield "  folder: evidence   # a recording of every job"
        yield "  max_gb: 50"
        yield "metrics:"
        yield f"  port: {self.first_port + METRICS_PORT}   # for Prometheus, on this machine"
