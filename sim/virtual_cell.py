"""The virtual cell: one object that plays scan folders against a running box and tells what came.

with VirtualCell(wires_from_config(config)) as cell:
    cell.prepare("bracket")
    report = cell.play(Path("examples/bracket/bad"), faults=("drop:view=3",))
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from voxgate.runtime.common.endpoints import refuses
from voxgate.runtime.wire.commands import (
    Acknowledge,
    GetState,
    PrepareRecipe,
    Reset,
    StartJob,
    StopJob,
)
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import Refused, Reply, ResultReply, StateReply
from voxgate.sim.field.faults import fault_from_text
from voxgate.sim.field.network_camera import Encoding
from voxgate.sim.field.process import command
from voxgate.sim.field.wires import Wires, context_for
from voxgate.sim.job_report import JobReport
from voxgate.sim.robot import NS_PER_MS, Robot, RobotError

ORDER_TIMEOUT_MS = 120_000  # loading decodes a whole scan, on a busy machine
VERDICT_TIMEOUT_MS = 60_000
READY_TIMEOUT_MS = 60_000
STARTING_TIMEOUT_MS = 20_000  # a service that was started a moment ago binds its sockets by then
PUBLISHED_TIMEOUT_MS = 1000
END_TIMEOUT_S = 30
MIN_SPEED, MAX_SPEED = 0.25, 100.0  # of the recorded moves between the views


class VirtualCell:
    """A robot program here, its arm and its camera in a process of their own.

    verdict_ms: that the robot waits for the answer of stop_job.
    """

    def __init__(
        self,
        wires: Wires,
        encoding: Encoding = Encoding.RAW,
        verdict_ms: int = VERDICT_TIMEOUT_MS,
    ) -> None:
        self._verdict_ms = verdict_ms
        self._context = context_for(wires)
        self.robot = Robot(self._context, wires)
        self._encoding = encoding
        self._commands = wires.commands
        self._field = subprocess.Popen(
            command(wires), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._unread = b""
        self._run_id = f"{os.getpid():x}-{time.monotonic_ns() // NS_PER_MS:x}"
        self._jobs = 0
        self._new_camera = bool(wires.serial_number)

    def __enter__(self) -> VirtualCell:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait_for_box(
        self, timeout_ms: int = READY_TIMEOUT_MS, on_nobody: Callable[[], None] = lambda: None
    ) -> None:
        """Until a heartbeat is heard. Raises RobotError: sooner when nobody listens there."""
        nobody = refuses(self._commands)
        if nobody:
            on_nobody()
        timeout_ms = min(timeout_ms, STARTING_TIMEOUT_MS) if nobody else timeout_ms
        deadline_ns = time.monotonic_ns() + timeout_ms * NS_PER_MS
        while self.robot.heartbeat is None:
            if time.monotonic_ns() > deadline_ns:
                raise RobotError(f"no heartbeat within {timeout_ms} ms: is the box running?")
            self.robot.listen(50)

    def prepare(self, recipe: str, timeout_ms: int = READY_TIMEOUT_MS) -> Reply:
        """Have the box load and prove a recipe; returns its answer."""
        return self.robot.ask(
            PrepareRecipe(request_id=self.robot.next_id(), recipe=recipe), timeout_ms
        )

    def state(self) -> StateReply:
        """What the box says about itself. Raises RobotError."""
        reply = self.robot.ask(GetState(request_id=self.robot.next_id()))
        if not isinstance(reply, StateReply):
            raise RobotError(f"get_state was answered with {reply.reply}")
        return reply

    def wait_until_ready(self, timeout_ms: int = READY_TIMEOUT_MS) -> StateReply:
        """Until a job may start. Raises RobotError with the box's own reason."""
        deadline_ns = time.monotonic_ns() + timeout_ms * NS_PER_MS
        while (state := self.state()).state is not State.READY:
            if state.error is not None and self._plugged_in():
                self.robot.ask(Reset(request_id=self.robot.next_id()))
            elif state.error is not None:
                raise RobotError(f"the box takes no job: {state.error}")
            if time.monotonic_ns() > deadline_ns:
                raise RobotError(f"the box stays {state.state.value}: {self._complaint()}")
            self.robot.listen(50)
        return state

    def _complaint(self) -> str:
        """Why the box does not become ready, as it says itself in its heartbeat."""
        heard = self.robot.heartbeat
        return (heard and heard.error) or "is its default recipe set?"

    def _plugged_in(self) -> bool:
        """Whether our GenICam camera is new to a box that may have given it up; asked once."""
        new, self._new_camera = self._new_camera, False
        return new

    def load(self, scan: Path, speed: float = 1.0) -> int:
        """Decode a scan ahead of time; returns its number of views. Raises RobotError."""
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise RobotError(f"the arm's speed is {MIN_SPEED:g} to {MAX_SPEED:g}, got {speed:g}")
        self._order(do="load", scan=str(scan), speed=speed, encoding=self._encoding.value)
        return int(self._answer("loaded")["views"])

    def play(
        self,
        scan: Path,
        *,
        faults: Sequence[str] = (),
        speed: float = 1.0,
        seed: int = 0,
        job_id: str | None = None,
        part_id: str | None = None,
        recipe: str | None = None,
    ) -> JobReport:
        """One inspection in real time: start_job, move and expose, stop_job, verdict.

        Raises RobotError when the box does not answer, FaultError for an unknown fault.
        """
        for fault in faults:
            fault_from_text(fault)
        self.load(scan, speed)
        self._jobs += 1
        job_id = job_id or f"{self._run_id}-{self._jobs}"
        self.robot.listen(0)
        started = self.robot.ask(
            StartJob(
                request_id=self.robot.next_id(),
                job_id=job_id,
                part_id=part_id or scan.name,
                recipe=recipe,
            )
        )
        if isinstance(started, Refused):
            return JobReport(
                job_id,
                str(scan),
                tuple(faults),
                None,
                False,
                f"{started.code.value}: {started.detail}",
            )
        self._order(
            do="play",
            scan=str(scan),
            speed=speed,
            encoding=self._encoding.value,
            faults=list(faults),
            seed=seed,
        )
        self._answer("exposed")
        return self._stop(job_id, scan, tuple(faults))

    def _stop(self, job_id: str, scan: Path, faults: tuple[str, ...]) -> JobReport:
        stopped = self.robot.ask(
            StopJob(request_id=self.robot.next_id(), job_id=job_id), self._verdict_ms
        )
        replied_ns = time.monotonic_ns()
        deadline_ns = replied_ns + PUBLISHED_TIMEOUT_MS * NS_PER_MS
        while job_id not in self.robot.verdicts and time.monotonic_ns() < deadline_ns:
            self.robot.listen(20)
        heard = self.robot.verdicts.pop(job_id, None)
        verdict = stopped.result if isinstance(stopped, ResultReply) else None
        may_pass = self.robot.may_pass(verdict, job_id)
        done = self._answer("done")
        if verdict is not None:
            self.robot.ask(
                Acknowledge(request_id=self.robot.next_id(), result_id=verdict.result_id)
            )
        exposed_ns, sent_ns = done["last_exposure_ns"], done["last_frame_sent_ns"]
        return JobReport(
            job_id=job_id,
            scan=str(scan),
            faults=faults,
            verdict=verdict,
            may_pass=may_pass,
            refused=f"{stopped.code.value}: {stopped.detail}"
            if isinstance(stopped, Refused)
            else None,
            latency_ms=(heard.t_ns - exposed_ns) / NS_PER_MS if heard else None,
            frame_latency_ms=(heard.t_ns - sent_ns) / NS_PER_MS if heard and sent_ns else None,
            reply_ms=(replied_ns - exposed_ns) / NS_PER_MS,
            late_ms=done["late_ms"],
            frames_lost=done["frames_lost"],
            decided_ns=heard.t_ns if heard else None,
        )

    def _order(self, **order: object) -> None:
        if self._field.stdin is None or self._field.poll() is not None:
            raise RobotError("the virtual robot and camera have ended; start a new cell")
        self._field.stdin.write(json.dumps(order).encode() + b"\n")

    def _answer(self, said: str) -> dict[str, Any]:
        """The field's next line, while the robot keeps listening. Raises RobotError."""
        deadline_ns = time.monotonic_ns() + ORDER_TIMEOUT_MS * NS_PER_MS
        while b"\n" not in self._unread:
            if time.monotonic_ns() > deadline_ns:
                raise RobotError(f"the virtual robot did not get to {said!r}")
            self._read()
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if answer["said"] != said:
            raise RobotError(str(answer.get("error", answer)))
        return answer

    def _read(self) -> None:
        assert self._field.stdout is not None
        out = self._field.stdout.fileno()
        self.robot.listen(200, also=out)
        os.set_blocking(out, False)
        more = self._field.stdout.read(65536)
        if more == b"":
            raise RobotError("the virtual robot and camera have ended; see their last words above")
        self._unread += more or b""

    @property
    def exit_code(self) -> int | None:
        """Of the process of arm and camera; None while it runs."""
        return self._field.poll()

    def close(self) -> None:
        """End the field's process and disconnect."""
        if self._field.stdin is not None:
            self._field.stdin.close()
        try:
            self._field.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._field.kill()
            self._field.wait()
        if self._field.stdout is not None:
            self._field.stdout.close()
        self.robot.close()
        self._context.term()
