"""A cell to test with: its YAML and its service process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

from tests.kits.forked_service import ForkedService, fork_service
from tests.kits.repository import ROOT
from tests.kits.scripted_cell import Script
from voxgate.runtime.nouns import Reason

WIDTH_PX, HEIGHT_PX = 80, 60
PATIENCE_S = 120.0  # for things that take milliseconds on a machine that is not overloaded

CLOCK_REASONS = frozenset(
    {Reason.CLOCK_UNSYNCED, Reason.POSE_MISSING, Reason.POSE_GAP, Reason.MISSING_VIEW}
)

T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true value of `condition`; fails the test when it stays away."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {patience_s:g} s")


def small_calibration(file: Path) -> None:
    """The example's calibration for a tenth of its pixels: pictures of 5 kB."""
    calibration = json.loads((ROOT / "examples/bracket/calibration.json").read_text())
    calibration["image_size"] = {"width": WIDTH_PX, "height": HEIGHT_PX}
    k = calibration["K"]
    calibration["K"] = [[c / 10 for c in k[0]], [c / 10 for c in k[1]], k[2]]
    file.write_text(json.dumps(calibration))


def write_cell(folder: Path, **changes: dict[str, Any]) -> Path:
    """A cell's YAML with ipc endpoints in `folder`; `changes` go into its sections."""
    (folder / "recipes/bracket/1").mkdir(parents=True, exist_ok=True)
    small_calibration(folder / "calibration.json")
    cell: dict[str, Any] = {
        "schema_version": 1,
        "cell": "test",
        "is_simulated": True,
        "calibration": "calibration.json",
        "recipes": {"folder": "recipes", "default": "bracket", "allow_unsigned": True},
        "cameras": [
            {
                "name": "cam0",
                "source": "network",
                "endpoint": f"ipc://{folder}/frames",
            }
        ],
        "sockets": {
            "poses": f"ipc://{folder}/poses",
            "commands": f"ipc://{folder}/commands",
            "verdicts": f"ipc://{folder}/verdicts",
            "heartbeat_ms": 50,
        },
        "sync": {"max_gap_ms": 500},  # the robot of these tests shares its cores with them
        "job": {"deadline_ms": 20_000},
        "journal": {"path": "journal.sqlite"},
        "metrics": {"enabled": False},
    }
    for section, values in changes.items():
        cell[section] = {**cell.get(section, {}), **values}
    file = folder / "cell.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML().dump(cell, stream)
    return file


def with_cameras(cell: Path, **settings: Any) -> None:
    """Change every camera of a YAML."""
    yaml = YAML()
    document = yaml.load(cell.read_text())
    for camera in document["cameras"]:
        camera.update(settings)
    with cell.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


@dataclass(slots=True)
class ServiceProcess:
    """The service as its own process; `log` is its stderr. wrapped_in: a command that starts it."""

    config: Path
    script: Script = field(default_factory=Script)
    process: subprocess.Popen[bytes] | ForkedService | None = None
    wrapped_in: tuple[str, ...] = ()

    def start(self) -> ServiceProcess:
        """Start it; it is not ready yet."""
        script = self.script.model_dump_json()
        if not self.wrapped_in:
            self.process = fork_service(self.config, script, self.log)
            return self
        service = (sys.executable, "-m", "tests.kits.scripted_cell", str(self.config), script)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapped_in, *service], cwd=ROOT, stdout=log, stderr=log
            )
        return self

    @property
    def log(self) -> Path:
        return self.config.with_name("service.log")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def end(self, signal: int) -> int:
        """Send a signal and wait; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal)
        return self.process.wait(PATIENCE_S)

    def kill_if_left(self) -> None:
        """For the end of a test that failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
