"""What a flood does to a box: gaps between heartbeats, a job's verdict, memory, and who is named.

The real service with keys, the virtual cell beside it, and an intruder in a process of its own that
is let in for one thing, or for none. Each flood meets a service of its own, before a job begins and
until it has its verdict.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import zmq
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.runtime.common.access import ROLES, Role
from voxgate.runtime.wire.curve import KeyPair
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

STRANGERS = 96  # 960 handshakes a second, each a tenth of a second after the last
CROWD = 1500
LISTED: dict[str, Role] = {
    "subscriptions": "verdicts",
    "long subscriptions": "verdicts",
    "upstream": "verdicts",
    "large": "verdicts",
    "parts up": "verdicts",
    "looks": "pictures",
    "parts": "commands",
    "commands": "commands",
    "parts of a pose": "poses",
    "poses": "poses",
    "parts of a frame": "frames",
}
"""Floods of somebody who is let in for one role, by that role."""
HALF_OPEN, DENIED = f"{CROWD} half-open", "960 denied a second"
FLOODS = (*LISTED, HALF_OPEN, DENIED)
SPEED = 2.0
BEFORE_S, AFTER_S, LONGEST_S = 1.0, 8.0, 60.0
HEARTBEAT_MS, DEADLINE_MS = 200, 30_000
LOOK_S = 0.05


@dataclass(slots=True)
class Seen:
    """From before a flood until some seconds after it. mb: of the service and its camera."""

    beats_ns: list[int] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    mb: list[float] = field(default_factory=list)

    @property
    def longest_gap_s(self) -> float:
        """Between two heartbeats."""
        return max((b - a for a, b in pairwise(self.beats_ns)), default=float("nan")) / 1e9


def main() -> None:
    """About five minutes."""
    measure(Console())


def measure(console: Console, floods: tuple[str, ...] = FLOODS) -> None:
    """A row for each flood, the first without one."""
    table = Table(title="one job under each flood", title_justify="left")
    table.add_column("flood", no_wrap=True)
    for heading in ("gap s", "verdict", "after s", "+ MB", "left MB", "named"):
        table.add_column(heading, justify="right")
    named: dict[str, None] = {}
    for kind in ("none", *floods):
        report, took_s, seen = under(kind)
        table.add_row(kind, *_row(report, took_s, seen))
        named |= dict.fromkeys(sorted(seen.named))
    console.print(table)
    console.print(f"each job's deadline: {DEADLINE_MS / 1e3:g} s; what the box said of the peers:")
    for detail in named:
        console.print(f"  {detail}")


def under(kind: str) -> tuple[JobReport, float, Seen]:
    """One job, how long it took from start to verdict, and what was seen meanwhile."""
    recipe = export_once(BRACKET / "golden", RECIPES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = {who: make_key_pair(folder / "keys", who)[1] for who in ("box", "robot", "intruder")}
        settings: dict[str, dict[str, object]] = {
            "security": _security(keys, LISTED.get(kind, "verdicts")),
            "sockets": {"heartbeat_ms": HEARTBEAT_MS},
            "job": {"deadline_ms": DEADLINE_MS},
        }
        label = f"{recipe.parent.name}/{recipe.name}"
        served = (folder, BRACKET / "calibration.json", recipe.parents[1], label)
        robot = folder / "keys" / "robot.key_secret"
        with (
            Box.start(*served, settings) as box,
            VirtualCell(wires_from_config(box.config, robot)) as cell,
        ):
            wait_until_ready(box, cell)
            cell.play(BRACKET / "good", speed=SPEED)  # what the first part takes is not the flood's
            with watched(box, keys) as seen:
                time.sleep(BEFORE_S)
                with _flooding(kind, box, keys):
                    begun_s = time.monotonic()
                    report = cell.play(BRACKET / "good", speed=SPEED)
                    took_s = time.monotonic() - begun_s
                time.sleep(AFTER_S)
            box.check_alive()
            return report, took_s, seen


@contextmanager
def watched(box: Box, keys: dict[str, KeyPair]) -> Iterator[Seen]:
    """Look and listen in a thread of its own."""
    seen, over = Seen(), Event()
    watcher = Thread(target=_watch, args=(box, keys, seen, over))
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _watch(box: Box, keys: dict[str, KeyPair], seen: Seen, over: Event) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as ear:
        ear.linger = 0
        ear.curve_publickey, ear.curve_secretkey = keys["robot"].public, keys["robot"].secret
        ear.curve_serverkey = keys["box"].public
        ear.subscribe(b"")
        ear.connect(box.config.sockets.verdicts)
        while not over.wait(LOOK_S):
            seen.mb.append(_memory_mb(box))
            while ear.poll(0):
                topic, payload = ear.recv_multipart()
                _hear(topic.decode(), json.loads(payload), seen)


def _hear(topic: str, said: dict[str, Any], seen: Seen) -> None:
    if topic.startswith("heartbeat"):
        seen.beats_ns.append(said["t_host_ns"])
    elif topic.startswith("fault") and said["code"] == "peer":
        seen.named.add(said["detail"])


def _memory_mb(box: Box) -> float:
    own = psutil.Process(box.process.pid)
    return float(sum(each.memory_info().rss for each in (own, *own.children(True)))) / 1e6


def _security(keys: dict[str, KeyPair], role: Role) -> dict[str, object]:
    peers = [
        {"name": name, "roles": roles, "public_key": keys[name].public.decode()}
        for name, roles in (("robot", [*ROLES]), ("intruder", [role]))
    ]
    return {"secret_key": "keys/box.key_secret", "peers": peers}


@contextmanager
def _flooding(kind: str, box: Box, keys: dict[str, KeyPair]) -> Iterator[None]:
    settings = _settings(kind, box, keys)
    if settings is None:
        yield
        return
    command = [sys.executable, "-m", "voxgate.benchmarks.line.flood"]
    flood = subprocess.Popen([*command, json.dumps(settings)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(BEFORE_S)
        yield
    finally:
        flood.terminate()
        flood.wait()


def _settings(kind: str, box: Box, keys: dict[str, KeyPair]) -> dict[str, object] | None:
    sockets, camera = box.config.sockets, box.config.cameras[0]
    if kind == "none":
        return None
    if kind == HALF_OPEN:
        return {"endpoint": sockets.commands, "seconds": LONGEST_S, "count": CROWD}
    if kind == DENIED:
        public = keys["box"].public.decode()
        told = {"endpoint": sockets.commands, "seconds": LONGEST_S}
        return {**told, "box": public, "strangers": STRANGERS}
    role = LISTED[kind]
    endpoint = getattr(camera, "endpoint", "") if role == "frames" else getattr(sockets, role)
    own = (keys["intruder"].public, keys["intruder"].secret, keys["box"].public)
    told = {"kind": kind, "endpoint": endpoint, "seconds": LONGEST_S}
    return {**told, "keys": [key.decode() for key in own]}


def _row(report: JobReport, took_s: float, seen: Seen) -> Iterator[str]:
    grown = [mb - seen.mb[0] for mb in seen.mb]
    yield f"{seen.longest_gap_s:.2f}"
    yield f"{report.outcome} {', '.join(report.reasons)}".strip()
    yield f"{took_s:.1f}"
    yield f"{max(grown):.0f}"
    yield f"{grown[-1]:.0f}"
    yield "yes" if seen.named else "-"


if __name__ == "__main__":
    main()
