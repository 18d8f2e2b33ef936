"""What Prometheus sees: every label is from a closed list, every duration in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from enum import Enum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)

from voxgate import __version__
from voxgate.runtime.cameras.supervisor import CameraCounters
from voxgate.runtime.common.access import ROLES, Role
from voxgate.runtime.common.timings import Timing
from voxgate.runtime.engines.backends import AUTO, BACKENDS
from voxgate.runtime.nouns import How, Outcome, Reason
from voxgate.runtime.records.evidence_store import Cause, Figures
from voxgate.runtime.wire.commands import COMMANDS
from voxgate.runtime.wire.door.connections import Cause as CutCause
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import FaultCode
from voxgate.runtime.wire.verdict import VerdictMessage

BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075),
    *(0.09, 0.1, 0.125, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0),
)
"""1 ms to 10 s; 90 ms and 150 ms are edges because they are promised."""

BUCKETS_OF_THRESHOLD = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 2.0, 3.0, 5.0, 10.0),
)
"""Fine below the threshold: there a process is seen to drift before a part fails."""

EXEMPLAR_CHARACTERS = 100  # OpenMetrics allows 128 for name and value together

NOBODY = "unlisted"
"""The label of peers without a name in the configuration."""

CAMERA_EVENTS = tuple(field.name for field in fields(CameraCounters))


class Stage(str, Enum):
    """Where the time of a job goes."""

    SYNC = "sync"  # frame arrived -> its pose is proven
    QUEUE = "queue"  # view ready -> the inspector takes it
    INSPECT = "inspect"  # one view: reduce, align (the first views), register, engine, fuse
    REDUCE = "reduce"  # the picture at the recipe's resolution
    ALIGN = "align"  # how the part stands
    REGISTER = "register"  # the golden view as this view would have seen it
    JUDGE = "judge"  # how far its surface is off, while the engine looks at its picture
    DESCRIBE = "describe"  # what the model gets: shape descriptors, voxels
    ENGINE = "engine"
    FUSE = "fuse"  # lift into the volume
    DRIFT = "drift"  # do the views agree with each other?
    FINISH = "finish"  # the verdict: coverage, segment, decide
    COVERAGE = "coverage"
    SEGMENT = "segment"
    JOURNAL = "journal"
    PREPARE = "prepare"  # load and prove a recipe
    SWITCH = "switch"  # no job is open, the next recipe is proven -> it serves


class Metrics:
    """All series of one service in a registry of their own."""

    def __init__(self, cell: str, cameras: tuple[str, ...], peers: tuple[str, ...] = ()) -> None:
        """peers: their names, as the configuration lists them."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._cameras = cameras
        self._peers = frozenset(peers)
        self._last_counts: dict[tuple[str, str], float] = {}
        self._durations()
        self._counters()
        self._gauges()
        Info("voxgate_build", "Version of the software", registry=self.registry).info(
            {"version": __version__, "cell": cell}
        )
        self._start_every_series_at_zero()

    def _durations(self) -> None:
        self.last_exposure_to_verdict = Histogram(
            "voxgate_last_exposure_to_verdict_seconds",
            "End of the last exposure to published verdict: what a robot waits for",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.stage = Histogram(
            "voxgate_stage_seconds",
            "Time in one stage",
            ["stage"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.score = Histogram(
            "voxgate_part_score_ratio",
            "Part score of decided parts, as a fraction of the threshold",
            buckets=BUCKETS_OF_THRESHOLD,
            registry=self.registry,
        )
        self.job = Histogram(
            "voxgate_job_seconds",
            "start_job to published verdict",
            buckets=(0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600),
            registry=self.registry,
        )

    def _counters(self) -> None:
        self.verdicts = self._counter("verdicts", "Published verdicts", "outcome")
        self.reasons = self._counter("verdict_reasons", "Reasons in published verdicts", "reason")
        self.rejections = self._counter("rejections", "Frames that did not become views", "reason")
        self.faults = self._counter("faults", "Faults, suppressed ones included", "code")
        self.commands = self._counter(
            "commands", "Commands by what became of them", "command", "ok"
        )
        self.camera_events = self._counter("camera_events", "What workers count", "camera", "event")
        self.frames_outside_job = self._counter("frames_outside_job", "Frames nobody asked for")
        self.poses = self._counter("poses", "Poses that were used")
        self.poses_lost = self._counter("poses_lost", "Missing sequence numbers of the robot")
        self.poses_out_of_order = self._counter(
            "poses_out_of_order", "Poses whose seq or stamp fell, repeated or jumped"
        )
        self.poses_malformed = self._counter("poses_malformed", "Messages that are no pose")
        self.denied = self._counter("denied_peers", "Handshakes of peers not on the list", "role")
        self.cut_off = self._counter(
            "cut_off_peers", "Connections that were ended for what they did", "role", "cause"
        )
        self.peer_faults = self._counter(
            "peer_faults", "Cut off, or a message that is none: by whom", "peer"
        )
        self.heartbeats = self._counter("heartbeats", "Heartbeats that were published")
        self.evidence_written = self._counter("evidence_written", "Recordings of jobs on disk")
        self.evidence_missing = self._counter(
            "evidence_missing", "Recordings of jobs that are not kept", "cause"
        )
        self.evidence_write = self._counter(
            "evidence_write_seconds", "Time spent writing recordings"
        )
        self.reoffered = self._counter("reoffered_verdicts", "Verdicts that were offered again")
        self.switches = self._counter("recipe_switches", "Recipes that began to serve", "how")
        self.queue_drops = self._counter("queue_drops", "Views that found the queue full")

    def _gauges(self) -> None:
        self.camera_streams = self._gauge("camera_streams", "1 while it delivers", "camera")
        self.clock_offset = self._gauge(
            "clock_offset_seconds", "Host clock minus device clock", "clock"
        )
        self.clock_residual = self._gauge(
            "clock_residual_seconds", "Honest bound of the clock fit", "clock"
        )
        self.pose_gap = self._gauge("pose_gap_seconds", "Largest gap of the last heartbeat")
        self.budget = self._gauge(
            "verdict_budget_seconds", "Last exposure to verdict that the cell's cycle allows"
        )
        self.disk_free = self._gauge("disk_free_bytes", "Of the file system with the journal")
        self.evidence_bytes = self._gauge("evidence_bytes", "What recordings of jobs take")
        self.evidence_files = self._gauge("evidence_files", "Recordings of jobs")
        self.evidence_age = self._gauge(
            "evidence_oldest_age_seconds", "Age of the oldest recording; NaN: there is none"
        )
        self.evidence_queue = self._gauge(
            "evidence_queue_bytes", "Recordings that wait to be written"
        )
        self.drift = self._gauge(
            "calibration_drift_mm", "Camera on the robot against its calibration, last job"
        )
        self.queue_depth = self._gauge("queue_depth", "Views that wait for the inspector")
        self.unacknowledged = self._gauge(
            "unacknowledged_verdicts", "That no robot has acknowledged, counted up to 1000"
        )
        self.fallback = self._gauge(
            "recipe_fallback", "1 while an older version serves than the configuration asks for"
        )
        self.recipe = Info("voxgate_recipe", "The recipe that serves", registry=self.registry)
        self.state = self._gauge("state", "1 for the state the service is in", "state")
        self.backend = self._gauge("backend", "1 for the backend that serves", "backend")
        self.backend_automatic = self._gauge(
            "backend_automatic", "1 where `backend: auto` chose the one that serves"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"voxgate_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"voxgate_{name}", text, labels, registry=self.registry)

    def _start_every_series_at_zero(self) -> None:
        """A series that appears with its first event hides that event from rate()."""
        for stage in Stage:
            self.stage.labels(stage.value)
        for outcome in Outcome:
            self.verdicts.labels(outcome.value)
        for reason in Reason:
            self.reasons.labels(reason.value)
            self.rejections.labels(reason.value)
        for code in FaultCode:
            self.faults.labels(code.value)
        for command in (*COMMANDS, "malformed"):
            for ok in ("true", "false"):
                self.commands.labels(command, ok)
        for cause in Cause:
            self.evidence_missing.labels(cause.value)
        for role in ROLES:
            self.denied.labels(role)
            for cut in CutCause:
                self.cut_off.labels(role, cut.value)
        for peer in (*self._peers, NOBODY):
            self.peer_faults.labels(peer)
        for how in How:
            self.switches.labels(how.value)
        for backend in BACKENDS:
            self.backend.labels(backend)
        for camera in self._cameras:
            self.camera_streams.labels(camera).set(0)
            for event in CAMERA_EVENTS:
                self.camera_events.labels(camera, event)
        self.show_state(State.PREOPERATIONAL)

    def peer_denied(self, role: Role) -> None:
        """Somebody who is not on the list knocked."""
        self.denied.labels(role).inc()

    def peer_failed(self, name: str | None) -> None:
        """Somebody did what he should not; only listed names become labels."""
        self.peer_faults.labels(name if name in self._peers else NOBODY).inc()

    def show_state(self, state: State) -> None:
        """1 for `state`, 0 for the others."""
        for each in State:
            self.state.labels(each.value).set(each is state)

    def show_backend(self, backend: str, asked: str) -> None:
        """1 for the backend that serves; whether the configuration left the choice to the box."""
        for each in BACKENDS:
            self.backend.labels(each).set(each == backend)
        self.backend_automatic.set(asked == AUTO)

    def show_recipe(self, label: str, how: How) -> None:
        """Another recipe serves."""
        name, _, version = label.partition("/")
        self.recipe.info({"recipe": name, "recipe_version": version})
        self.switches.labels(how.value).inc()
        self.fallback.set(how is How.FELL_BACK)

    def show_stream(self, camera: str, streams: bool) -> None:
        """Whether it streams now."""
        self.camera_streams.labels(camera).set(streams)

    def show_camera(self, camera: str, counters: CameraCounters) -> None:
        """Follow the cumulative counts of the camera supervisor."""
        for event, total in asdict(counters).items():
            self._follow(self.camera_events.labels(camera, event), camera, event, total)

    def show_evidence(self, figures: Figures) -> None:
        """Follow what the evidence store counts."""
        self._follow(self.evidence_written, "evidence", "written", figures.written)
        self._follow(self.evidence_write, "evidence", "write_s", figures.write_s)
        for cause, total in figures.missing.items():
            counter = self.evidence_missing.labels(cause.value)
            self._follow(counter, "evidence", cause.value, total)
        self.evidence_bytes.set(figures.kept_bytes)
        self.evidence_files.set(figures.kept)
        age_s = figures.oldest_age_s
        self.evidence_age.set(float("nan") if age_s is None else age_s)
        self.evidence_queue.set(figures.queue_bytes)

    def _follow(self, counter: Counter, owner: str, what: str, total: float) -> None:
        """Bring a counter up to a total that is counted elsewhere."""
        grown = total - self._last_counts.get((owner, what), 0)
        self._last_counts[owner, what] = total
        if grown > 0:
            counter.inc(grown)

    def observe(self, stage: Stage, duration_ns: int) -> None:
        """One passage through `stage`."""
        self.stage.labels(stage.value).observe(max(0, duration_ns) / 1e9)

    def observe_verdict(
        self, message: VerdictMessage, job_s: float, waited_s: float | None
    ) -> None:
        """One published verdict; its job's id stands beside the times (an exemplar).

        waited_s: from the end of the last exposure; None: nothing was exposed.
        """
        exemplar = {"job_id": message.job_id[:EXEMPLAR_CHARACTERS]}
        self.job.observe(job_s, exemplar)
        if waited_s is not None:
            self.last_exposure_to_verdict.observe(waited_s, exemplar)
        self.count_verdict(message)
        if message.score is not None and message.outcome is not Outcome.INDETERMINATE:
            self.score.observe(message.score, exemplar)
        if message.drift is not None:
            self.drift.set(message.drift.drift_mm)

    def count_verdict(self, message: VerdictMessage) -> None:
        """Its outcome, and each of its reasons once."""
        self.verdicts.labels(message.outcome.value).inc()
        for reason in dict.fromkeys(note.reason for note in message.reasons):
            self.reasons.labels(reason.value).inc()

    def observe_work(self, timings: Sequence[Timing]) -> None:
        """What the inspector timed, each under the stage of its name."""
        for timing in timings:
            self.observe(Stage(timing.work.value), timing.took_ns)
