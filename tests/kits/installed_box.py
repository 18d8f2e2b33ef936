"""VoxGate as it is installed on a booted machine: two cells, their recipe, their play.

`voxgate` is the example's bracket with frames by network; `voxgate@cam` has a camera of the GenTL
simulator, in its own process, and no recipe.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kits.booted import Machine, Power
from tests.kits.cell_kit import CLOCK_REASONS
from tests.kits.repository import BRACKET, ROOT
from tests.kits.viky import CTI, SERIALS, SIZE_PX, nodes
from voxgate.sim.recipes import copy_as, export_once

PYTHON = "/usr/bin/python3"  # the distribution's: the service has no home to take another one from
ETC, CURRENT = "/etc/voxgate", "/opt/voxgate/current"
RECIPE = "bracket/1"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Release:
    """What a release brings to a box without an index: the wheel and, by hash, what it needs."""

    wheel: Path
    wheels: Path

    @classmethod
    def make(cls, folder: Path) -> Release:
        """Built and fetched as the page about installing says."""
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = folder.glob("voxgate-*.whl")
        wheels, venv = folder / "wheels", folder / "venv"
        subprocess.run([PYTHON, "-m", "venv", str(venv)], check=True, capture_output=True)
        download = [str(venv / "bin/pip"), "download", "--quiet", "--require-hashes"]
        only = ["--only-binary", ":all:", "-r", str(ROOT / "requirements-box.lock")]
        subprocess.run([*download, *only, "-d", str(wheels)], check=True)
        shutil.rmtree(venv)
        return cls(wheel, wheels)


BY_NETWORK = {"name": "cam0", "source": "network", "endpoint": "tcp://127.0.0.1:5563"}


def cell_of(
    unit: str, camera: dict[str, Any], default: str | None = None, first_port: int = 5560
) -> dict[str, Any]:
    """What a cell's YAML says; default: its recipe, None: it has none."""
    return {
        "schema_version": 1,
        "cell": unit.replace("@", "-"),
        "is_simulated": True,
        "calibration": "calibration.json" if default else "calibration-cam.json",
        "recipes": {"folder": "recipes", "default": default, "allow_unsigned": True},
        "cameras": [camera],
        "sockets": {
            name: f"tcp://127.0.0.1:{first_port + number}"
            for number, name in enumerate(("poses", "commands", "verdicts"))
        },
        "journal": {"path": f"/var/lib/{unit}/journal.sqlite"},
        "metrics": {"port": first_port + 9},
    }


@dataclass(frozen=True, slots=True)
class InstalledBox:
    """Commands of the installed VoxGate, and what systemd says of its units.

    home: its own Python's; example: where that machine has the bracket's scans.
    """

    power: Power
    home: str = CURRENT
    example: str = str(BRACKET)

    @property
    def machine(self) -> Machine:
        """As it is on now: another one after a power cut."""
        return self.power.machine

    def install(self, release: Release, *arguments: str) -> str:
        """systemd/install.sh; without arguments the release."""
        script = str(ROOT / "systemd/install.sh")
        chosen = arguments or (str(release.wheel),)
        own = (f"WHEELS={release.wheels}", f"PYTHON={PYTHON}")
        return self.machine.says("env", *own, "bash", script, *chosen)

    def voxgate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """As root, whatever it exits with."""
        return self.machine.run(f"{self.home}/bin/voxgate", *arguments, check=False)

    def play(self, part: str) -> str:
        """The outcome of a part of the example, played to the cell that is served; again where
        this machine stalled the clocks that play has."""
        config = f"{ETC}/voxgate.yaml"
        verdict = {"outcome": ""}
        for _ in range(TRIES):
            done = self.voxgate(
                "play", f"{self.example}/{part}", "--config", config, "--speed", "2", "--json"
            )
            assert done.stdout, done.stderr
            verdict = json.loads(done.stdout)
            if not CLOCK_REASONS & {note["reason"] for note in verdict["reasons"]}:
                break
        return verdict["outcome"]

    def log(self, unit: str = "voxgate") -> str:
        """What it said, newest last."""
        return self.machine.says("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def put(self, file: str, text: str) -> None:
        """Write one of the files that the service reads."""
        self.machine.put(file, text)
        self.machine.run("chgrp", "voxgate", file)

    def configure(self) -> None:
        """Both cells' YAML and what they name, in /etc/voxgate."""
        exported = export_once(BRACKET / "golden", ROOT / "out/recipes")
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # its /tmp is its own
            copied = copy_as(exported, Path(folder), RECIPE)
            self.machine.take(copied.parent, f"{ETC}/recipes")
        self.machine.take(BRACKET / "calibration.json", ETC)
        self._write("voxgate", BY_NETWORK, default=RECIPE)
        self._write("voxgate@cam", self._simulated_camera(), first_port=5570)
        self.machine.run("chown", "-R", "root:voxgate", ETC)
        self.machine.run("chmod", "-R", "u=rwX,g=rX,o=", ETC)

    def _write(
        self, unit: str, camera: dict[str, Any], default: str | None = None, first_port: int = 5560
    ) -> None:
        cell = cell_of(unit, camera, default, first_port)
        self.put(f"{ETC}/{unit}.yaml", json.dumps(cell))  # JSON is YAML

    def _simulated_camera(self) -> dict[str, Any]:
        calibration = json.loads((BRACKET / "calibration.json").read_text())
        calibration["image_size"] = {"width": SIZE_PX, "height": SIZE_PX}
        calibration["K"] = [[SIZE_PX, 0, SIZE_PX / 2], [0, SIZE_PX, SIZE_PX / 2], [0, 0, 1]]
        self.put(f"{ETC}/calibration-cam.json", json.dumps(calibration))
        named = ("-name", Path(CTI).name)  # once by lib, once by lib64, which is the same
        return {
            "name": "cam0",
            "source": "genicam",
            "producer": self.machine.says("find", "-L", self.home, *named, "-print", "-quit"),
            "serial_number": SERIALS["red"],
            "nodes": [{"name": node.name, "value": node.value} for node in nodes(20.0, depth=True)],
            "timestamp": "arrival",
            "exposure_us": 500.0,
        }
