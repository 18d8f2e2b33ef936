"""A cell is served on this processor; its robot and its camera's light stand elsewhere:

    python .ci/served_box.py RECIPES NAME/VERSION PRODUCER

Says in a line where it listens (`wires` and JSON), and serves until its stdin ends. The service is
that of a line; only what waits for a fixed time waits longer.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config

PART = Path("examples/bracket")
AHEAD = -10  # a box computes for its cell alone; an emulated one shares this machine
PATIENT: dict[str, dict[str, object]] = {
    "sockets": {"heartbeat_ms": 5_000},
    "job": {"deadline_ms": 600_000, "late_frame_ms": 5_000},
    "sync": {"max_gap_ms": 200.0},
    "cameras": {"start_ms": 120_000, "heartbeat_ms": 60_000},
}


def serve(recipes: Path, recipe: str, producer: Path, folder: Path) -> None:
    with Box.start(folder, PART / "calibration.json", recipes, recipe, PATIENT, producer) as box:
        sys.stdout.write(f"wires {json.dumps(asdict(wires_from_config(box.config)))}\n")
        sys.stdout.flush()
        sys.stdin.read()
    sys.stderr.write(box.last_words() + "\n")


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(AHEAD)
    with tempfile.TemporaryDirectory() as folder:
        serve(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(folder))
