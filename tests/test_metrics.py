"""What Prometheus sees: fit buckets, bounded labels, every series there from the start."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.camera import CameraCounters
from runtime.errors import ServiceError
from runtime.messages import FaultCode, State
from runtime.metrics import BUCKETS_S, Metrics, MetricsServer, Stage
from runtime.nouns import Outcome, Reason
from runtime.timings import Timing, Work


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("bracket-1", ("cam0",))


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


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
    }
    for name, labels, _ in samples(metrics):
        for label, text in labels.items():
            assert label in {*closed, "le", "event", "command", "ok", "version", "cell"}, name
            assert text in closed.get(label, {text}), name


def test_names_follow_the_conventions(metrics: Metrics) -> None:
    for family in metrics.registry.collect():
        assert family.name.startswith(("voxgate_", "process_"))
        assert family.documentation
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


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


def test_scrape_delivers_the_headline_and_close_frees_the_port(metrics: Metrics, port: int) -> None:
    server = MetricsServer(metrics, "127.0.0.1", port)
    metrics.last_exposure_to_verdict.observe(0.08)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    assert "voxgate_last_exposure_to_verdict_seconds" in families
    server.close()
    MetricsServer(metrics, "127.0.0.1", port).close()


def test_taken_port_is_told_in_one_line(metrics: Metrics) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ServiceError, match=r"metrics\.port"):
            MetricsServer(metrics, "127.0.0.1", other.getsockname()[1])
