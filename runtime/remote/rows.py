"""What a cell says, as lines for people: plain text, one subject a line, 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.runtime.remote.history import PastJob
from voxgate.runtime.wire.fields import CameraStanding, State
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.replies import StateReply
from voxgate.runtime.wire.verdict import VerdictMessage

SERVES = frozenset({State.READY, State.EXECUTING})
LATENCY = "last_exposure_to_decision"
HEADINGS = ("decided (UTC)", "job", "part", "outcome", "score", "ms", "why")
Row = tuple[str, ...]


def state_rows(state: StateReply) -> Iterator[tuple[str, str]]:
    """What a cell is doing, and what a person has to mend."""
    yield "cell", state.cell + (" (simulated)" if state.is_simulated else "")
    yield "state", state.state.value
    if state.error is not None:
        yield "mend", state.error
    yield "recipe", state.recipe or "none"
    if state.fallback is not None:
        yield "fallback", state.fallback
    if state.preparing is not None:
        yield "preparing", state.preparing
    if state.rollback is not None:
        yield "rollback to", state.rollback
    for camera in state.cameras:
        restarts = f", restarted {camera.restarts} times" if camera.restarts else ""
        yield f"camera {camera.name}", f"{camera.standing.value}{restarts}: {camera.detail}"
    yield "open job", state.job_id or "none"
    if state.unacknowledged:
        yield "unacknowledged", f"{state.unacknowledged}, the oldest {state.oldest_unacknowledged}"
    yield "version", f"{state.version}, configuration {state.configuration_id}"


def beat_line(beat: HeartbeatMessage) -> str:
    """One line of what a heartbeat says."""
    said = [beat.state.value, beat.recipe or "no recipe"]
    if beat.job_id is not None:
        said.append(f"job {beat.job_id}")
    if beat.preparing is not None:
        said.append(f"preparing {beat.preparing}")
    said += [
        f"camera {camera.name} {camera.standing.value}"
        for camera in beat.cameras
        if camera.standing is not CameraStanding.STREAMING
    ]
    return ", ".join(said) + ("" if beat.error is None else f": {beat.error}")


def camera_line(beat: HeartbeatMessage) -> str:
    """All of them, and how they stand."""
    said = ", ".join(f"{camera.name} {camera.standing.value}" for camera in beat.cameras)
    return f"cameras: {said}" if said else ""


def verdict_row(verdict: VerdictMessage) -> Row:
    """Under HEADINGS."""
    latency = verdict.timing_ms.get(LATENCY)
    return (
        f"{verdict.created_utc:%m-%d %H:%M:%S}",
        verdict.job_id,
        verdict.part_id,
        verdict.outcome.value,
        "-" if verdict.score is None else f"{verdict.score:.2f}",
        "-" if latency is None else f"{latency:.0f}",
        ", ".join(dict.fromkeys(each.reason.value for each in verdict.reasons)),
    )


def job_row(job: PastJob) -> Row:
    """Under HEADINGS, also while it is open."""
    if job.verdict is None:
        opened = job.opened_utc[5:19].replace("T", " ")
        return (opened, job.job_id, job.part_id, "open", "-", "-", "")
    return verdict_row(job.verdict)
