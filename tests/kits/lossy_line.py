"""A line whose network loses packets: `unshare --net python -m tests.kits.lossy_line JOBS LOSS`.

Run in a network of its own, as root. Service, robot and camera talk over its loopback, of which the
kernel drops LOSS of 1000 packets. Prints one JSON object: job -> outcome as the robot heard it.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kits.cell_kit import ServiceProcess, until, with_cameras, write_cell
from tests.kits.robot_kit import COLD_CLOCK_S, SOCKETS, Robot
from tests.kits.scripted_cell import Script
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.commands import GetResult, StartJob, StopJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import Done, ResultReply

ENDPOINTS = {name: f"tcp://127.0.0.1:{47100 + number}" for number, name in enumerate(SOCKETS)}
PLANNED = 3
PATIENCE_S = 60.0


def lose(per_thousand: int) -> None:
    """Loopback up, and so many packets of 1000 gone."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    rules = (
        "add table inet loss; add chain inet loss in { type filter hook input priority 0; };"
        f" add rule inet loss in numgen random mod 1000 < {per_thousand} counter drop"
    )
    subprocess.run(["nft", rules], check=True)


def dropped() -> int:
    """Packets that were lost so far."""
    told = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True)
    rules = (item["rule"] for item in json.loads(told.stdout)["nftables"] if "rule" in item)
    return sum(
        part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part
    )


def play(folder: Path, outcome: Outcome, jobs: int) -> dict[str, str]:
    """Parts of which the detector says `outcome`; what the robot heard of each."""
    cell = write_cell(
        folder,
        sockets={name: ENDPOINTS[name] for name in SOCKETS if name != "frames"},
        job={"deadline_ms": 20_000, "late_frame_ms": 2000},
    )
    with_cameras(cell, endpoint=ENDPOINTS["frames"])
    service = ServiceProcess(cell, Script(outcome=outcome)).start()
    try:
        with Robot(folder, endpoints=ENDPOINTS) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            heard = {
                f"{outcome.value}-{n}": _job(robot, f"{outcome.value}-{n}") for n in range(jobs)
            }
        assert service.end(signal.SIGTERM) == 0
    finally:
        service.kill_if_left()
    return heard


def _job(robot: Robot, job_id: str) -> str:
    def opened() -> bool:
        return isinstance(robot.ask(StartJob, job_id=job_id, part_id="part"), Done)

    until(opened, "a job that may start", PATIENCE_S)
    time.sleep(COLD_CLOCK_S)  # the arm travels
    for _ in range(PLANNED):
        robot.expose()
    robot.send(StopJob, job_id=job_id)
    reply = robot.reply(PATIENCE_S)
    assert isinstance(reply, ResultReply), reply
    again = robot.ask(GetResult, job_id=job_id)
    assert isinstance(again, ResultReply), again
    assert again.result == reply.result
    return reply.result.outcome.value


def main() -> int:
    """The exit code."""
    jobs, per_thousand = int(sys.argv[1]), int(sys.argv[2])
    lose(per_thousand)
    heard: dict[str, str] = {}
    for outcome in (Outcome.FAIL, Outcome.PASS):
        folder = Path(tempfile.mkdtemp(prefix="vg-"))
        try:
            heard |= play(folder, outcome, jobs)
        finally:
            shutil.rmtree(folder)
    sys.stdout.write(json.dumps({"heard": heard, "dropped": dropped()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
