"""Faults are counted always, published at a rate that a person and a disk can bear."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.telemetry.faults import PER_SECOND, SECOND_NS, Faults
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.fields import MAX_DETAIL
from voxgate.runtime.wire.published import FaultCode


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("cell", ("cam0",))


class Heard:
    def __init__(self, metrics: Metrics) -> None:
        self.messages: list[dict[str, Any]] = []
        self.faults = Faults("cell", self._publish, metrics)

    def _publish(self, topic: bytes, payload: bytes) -> None:
        assert topic == b"fault.cell"
        self.messages.append(json.loads(payload))


def test_fault_says_what_where_and_in_which_job(metrics: Metrics) -> None:
    heard = Heard(metrics)
    heard.faults.note(Note(Reason.CAMERA_LOST, "unplugged"), 5, "job-1", "cam0")
    (message,) = heard.messages
    assert message["code"] == "camera"
    assert (message["job_id"], message["camera"], message["t_host_ns"]) == ("job-1", "cam0", 5)


def test_flood_is_counted_and_told_when_it_is_over(metrics: Metrics) -> None:
    heard = Heard(metrics)
    for number in range(1000):
        heard.faults.tell(FaultCode.POSE, "garbage", number)
    assert len(heard.messages) == PER_SECOND
    heard.faults.tell(FaultCode.POSE, "garbage", 2 * SECOND_NS)
    assert f"{1000 - PER_SECOND} faults before" in heard.messages[-1]["detail"]
    assert [m["seq"] for m in heard.messages] == list(range(PER_SECOND + 1))
    value = metrics.registry.get_sample_value("voxgate_faults_total", {"code": "pose"})
    assert value == 1001


def test_long_story_is_cut_to_the_wire(metrics: Metrics) -> None:
    heard = Heard(metrics)
    heard.faults.tell(FaultCode.ENGINE, "x\n" * 5000, 0)
    assert len(heard.messages[0]["detail"]) <= MAX_DETAIL
    assert "\n" not in heard.messages[0]["detail"]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_code(metrics: Metrics, reason: Reason) -> None:
    heard = Heard(metrics)
    heard.faults.note(Note(reason, "x"), 0)
    assert heard.messages[0]["code"] in {code.value for code in FaultCode}
