"""What Prometheus sees: fit buckets, bounded labels, every series there from the start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voxgate.runtime.cameras.supervisor import CameraCounters
from voxgate.runtime.common.access import ROLES
from voxgate.runtime.common.timings import Timing, Work
from voxgate.runtime.engines.backends import BACKENDS
from voxgate.runtime.nouns import How, Outcome, Reason
from voxgate.runtime.records.evidence_store import Cause
from voxgate.runtime.telemetry.metrics import BUCKETS_S, NOBODY, Metrics, Stage
from voxgate.runtime.wire.door.connections import Cause as CutCause
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import FaultCode


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("bracket-1", ("cam0",))


def samples(metrics: Metrics) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in metrics.registry.collect():
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(metrics: Metrics, name: str, **labels: str) -> float:
    (found,) = [v for n, own, v in samples(metrics) if n == name and own == labels]
    return found


def test_buckets_reach_from_1_ms_to_10_s_and_hold_the_promises() -> None:
    assert BUCKETS_S[0] == 0.001
    assert BUCKETS_S[-1] == 10.0
    assert list(BUCKETS_S) == sorted(set(BUCKETS_S))
    assert {0.09, 0.15} <= set(BUCKETS_S)


def test_labels_come_from_closed_lists_only(metrics: Metrics) -> None:
    closed = {
        "outcome": {o.value for o in Outcome},
        "reason": {r.value for r in Reason},
        "code": {c.value for c in FaultCode},
        "stage": {s.value for s in Stage},
        "state": {s.value for s in State},
        "camera": {"cam0"},
        "clock": {"camera", "robot"},
        "cause": {c.value for c in (*Cause, *CutCause)},
        "peer": {NOBODY},
        "role": {str(role) for role in ROLES},
        "backend": set(BACKENDS),
        "how": {how.value for how in How},
    }
    metrics.show_recipe("bracket/1", How.ASKED)
    recipe = {"recipe", "recipe_version"}  # of voxgate_recipe_info, one series at a time
    for name, labels, _ in samples(metrics):
        for label, text in labels.items():
            known = {*closed, *recipe, "le", "event", "command", "ok", "version", "cell"}
            assert label in known, name
            assert text in closed.get(label, {text}), name


def test_names_follow_the_conventions(metrics: Metrics) -> None:
    for family in metrics.registry.collect():
        assert family.name.startswith(("voxgate_", "process_"))
        assert family.documentation
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_ratio"))


def test_every_reason_counts_from_zero(metrics: Metrics) -> None:
    for reason in Reason:
        assert value(metrics, "voxgate_verdict_reasons_total", reason=reason.value) == 0
    for outcome in Outcome:
        assert value(metrics, "voxgate_verdicts_total", outcome=outcome.value) == 0


def test_one_state_is_shown_at_a_time(metrics: Metrics) -> None:
    metrics.show_state(State.READY)
    shown = {labels["state"]: v for n, labels, v in samples(metrics) if n == "voxgate_state"}
    assert shown == {state.value: float(state is State.READY) for state in State}


def test_camera_counters_are_followed_not_added(metrics: Metrics) -> None:
    counters = CameraCounters(**dict.fromkeys(CameraCounters.__annotations__, 0) | {"lost": 3})
    metrics.show_camera("cam0", counters)
    metrics.show_camera("cam0", counters)
    assert value(metrics, "voxgate_camera_events_total", camera="cam0", event="lost") == 3


def test_clock_going_back_is_no_negative_duration(metrics: Metrics) -> None:
    metrics.observe(Stage.SYNC, -5)
    assert value(metrics, "voxgate_stage_seconds_sum", stage="sync") == 0


def test_every_piece_of_the_inspectors_work_is_a_stage(metrics: Metrics) -> None:
    metrics.observe_work([Timing(work, 1_000_000) for work in Work])
    for work in Work:
        assert value(metrics, "voxgate_stage_seconds_count", stage=work.value) == 1
        assert value(metrics, "voxgate_stage_seconds_sum", stage=work.value) == 0.001


def test_the_recipe_that_serves_is_one_series_and_a_fallback_is_told(metrics: Metrics) -> None:
    metrics.show_recipe("bracket/2", How.ASKED)
    metrics.show_recipe("bracket/1", How.FELL_BACK)
    (served,) = [own for name, own, _ in samples(metrics) if name == "voxgate_recipe_info"]
    assert served == {"recipe": "bracket", "recipe_version": "1"}
    assert value(metrics, "voxgate_recipe_fallback") == 1
    assert value(metrics, "voxgate_recipe_switches_total", how="asked") == 1
    metrics.show_recipe("bracket/3", How.ASKED)
    assert value(metrics, "voxgate_recipe_fallback") == 0


def test_the_backend_that_serves_is_one_series_and_auto_is_told(metrics: Metrics) -> None:
    metrics.show_backend("tensorrt", "auto")
    assert value(metrics, "voxgate_backend", backend="tensorrt") == 1
    assert value(metrics, "voxgate_backend_automatic") == 1
    metrics.show_backend("onnxruntime-cpu", "onnxruntime-cpu")
    assert value(metrics, "voxgate_backend", backend="tensorrt") == 0
    assert value(metrics, "voxgate_backend", backend="onnxruntime-cpu") == 1
    assert value(metrics, "voxgate_backend_automatic") == 0
