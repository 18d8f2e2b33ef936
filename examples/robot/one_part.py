"""One part in Python, with nothing but pyzmq.

    python one_part.py POSES COMMANDS VERDICTS CELL JOB PART RECIPE [PUBLIC SECRET BOX]

Says MOVE when the job is open, waits for a line on stdin (the last exposure is over), prints the
answer and exits with 0 only for a part that may go on: the box said PASS for this very job, and its
heart still beats.
"""

from __future__ import annotations

import itertools
import json
import secrets
import sys
import threading
import time
from typing import Any

import zmq

MISSED_HEARTBEATS = 3  # so many in a row: the box is not there
POSE_PERIOD_S = 0.008
ACCEPT_SIMULATED = True  # on a line: False


class Box:
    """The robot's side of a VoxGate box."""

    def __init__(
        self, poses: str, commands: str, verdicts: str, cell: str, keys: tuple[str, str, str] | None
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.linger = 0
        # a cable that was pulled breaks the connection in seconds and not in a quarter of an hour
        self._context.setsockopt(zmq.HEARTBEAT_IVL, 1000)
        self._context.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
        if keys is not None:
            options = (zmq.CURVE_PUBLICKEY, zmq.CURVE_SECRETKEY, zmq.CURVE_SERVERKEY)
            for option, key in zip(options, keys, strict=True):
                self._context.setsockopt(option, key.encode())
        self._poses = self._context.socket(zmq.PUB)
        # no REQ: it would wait for a lost reply for ever, and refuse to send anything else
        self._commands = self._context.socket(zmq.DEALER)
        self._verdicts = self._context.socket(zmq.SUB)
        self._verdicts.subscribe(f"heartbeat.{cell}".encode())
        for socket, endpoint in (
            (self._poses, poses),
            (self._commands, commands),
            (self._verdicts, verdicts),
        ):
            socket.setsockopt(zmq.IPV6, "[" in endpoint)
            socket.connect(endpoint)
        # of this run only: a reply to the program before must not be taken for one of ours
        run = secrets.token_hex(4)
        self._ids = (f"p{run}-{number}" for number in itertools.count(1))
        self._beat_s = 0.0
        self._period_s = 0.0

    def pose(self, seq: int, p_mm: list[float], q_wxyz: list[float]) -> None:
        """Where the flange is in the robot's base, by the robot's clock; one thread may call it."""
        pose = {"seq": seq, "t_robot_ns": time.monotonic_ns(), "p_mm": p_mm, "q_wxyz": q_wxyz}
        self._poses.send_multipart([b"pose", json.dumps(pose).encode()])

    def alive(self) -> bool:
        """Whether a heartbeat was heard within the last three periods."""
        while self._verdicts.poll(0):
            beat = json.loads(self._verdicts.recv_multipart()[1])
            self._beat_s, self._period_s = time.monotonic(), beat["heartbeat_ms"] / 1000
        return time.monotonic() - self._beat_s <= MISSED_HEARTBEATS * self._period_s

    def ask(self, command: str, timeout_s: float, **fields: str) -> dict[str, Any]:
        """The reply to a command; {} when none comes in time, or the box has no heartbeat."""
        request_id = next(self._ids)
        message = {"request_id": request_id, "command": command, **fields}
        self._commands.send(json.dumps(message).encode())
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s and self.alive():
            if self._commands.poll(20):
                reply: dict[str, Any] = json.loads(self._commands.recv())
                if reply["request_id"] == request_id:
                    return reply
        return {}

    def ready(self, timeout_s: float) -> bool:
        """Whether the box is alive and READY in time."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            self._verdicts.poll(20)
            if self.alive() and self.ask("get_state", 1.0).get("state") == "READY":
                return True
        return False

    def stop(self, job_id: str, timeout_s: float) -> tuple[bool, str]:
        """Whether the part may go on, and why not; of a tray, whom to pick out."""
        reply = self.ask("stop_job", timeout_s, job_id=job_id)
        result = reply.get("result", {})
        if "result_id" in result:
            self.ask("acknowledge", 1.0, result_id=result["result_id"])
        passed = (
            result.get("job_id") == job_id
            and result.get("outcome") == "PASS"
            and (ACCEPT_SIMULATED or result.get("is_simulated") is False)
            and self.alive()
        )
        why = json.dumps(result.get("reasons", reply.get("detail", "no answer")))
        odd = (
            " ODD {} at {:.1f} {:.1f} {:.1f} mm".format(number, *centre)
            for number, centre in odd_places(result)
        )
        return passed, why + "".join(odd)

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(linger=0)


def odd_places(result: dict[str, Any]) -> list[tuple[int, list[float]]]:
    """Of a tray of several parts: id and centre in the robot's base, mm, of each that is odd.

    What was not compared (`odd` is null) is among them: nothing proves it regular.
    """
    parts = result.get("instances", [])
    return [(part["id"], part["centre_base_mm"]) for part in parts if part["odd"] is not False]


def one_part(box: Box, job_id: str, part_id: str, recipe: str) -> tuple[bool, str]:
    """From READY to the answer. recipe: name/version; when another one serves, no job starts."""
    job = {"job_id": job_id, "part_id": part_id, "recipe": recipe}
    started = box.ready(30.0) and box.ask("start_job", 5.0, **job)
    if not started or started["reply"] != "done":
        return False, "the job was not started"
    sys.stdout.write("MOVE\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return False, "nobody said that the last exposure is over"
    return box.stop(job_id, 30.0)


def main(given: list[str]) -> int:
    """Entry point."""
    if len(given) not in (7, 10):
        sys.stderr.write(
            "usage: POSES COMMANDS VERDICTS CELL JOB PART RECIPE [PUBLIC SECRET BOX]\n"
        )
        return 2
    box = Box(given[0], given[1], given[2], given[3], tuple(given[7:]) or None)  # type: ignore[arg-type]
    standing = threading.Event()

    def say_where_we_stand() -> None:  # a real robot says where it is
        for seq in itertools.count():
            if standing.wait(POSE_PERIOD_S):
                return
            box.pose(seq, [500.0, 0.0, 500.0], [1.0, 0.0, 0.0, 0.0])

    poses = threading.Thread(target=say_where_we_stand)
    poses.start()
    try:
        passed, why = one_part(box, given[4], given[5], given[6])
    finally:
        standing.set()
        poses.join()
        box.close()
    sys.stdout.write(f"{'PASSED' if passed else 'NOT PASSED'} {why}\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
