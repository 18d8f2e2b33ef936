"""The wire: what is not a message is refused in one line, what is one survives the trip."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.kits.repository import ROOT
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.commands import COMMANDS, Command, parse_command
from voxgate.runtime.wire.fields import MAX_DETAIL, MalformedMessage, State
from voxgate.runtime.wire.poses import parse_pose
from voxgate.runtime.wire.replies import MAX_REPLY_BYTES, ResultReply, parse_reply
from voxgate.runtime.wire.schema import messages_schema
from voxgate.runtime.wire.verdict import (
    MAX_DEFECTS,
    MAX_REASONS,
    DefectMessage,
    ReasonMessage,
    VerdictMessage,
    ViewMessage,
)

POSE: dict[str, Any] = {"seq": 1, "t_robot_ns": 5, "p_mm": [1.0, 2, 3], "q_wxyz": [1, 0, 0, 0]}
START: dict[str, Any] = {
    "command": "start_job",
    "request_id": "r1",
    "job_id": "job-1",
    "part_id": "p-1",
}


def verdict_fields(**changes: Any) -> dict[str, Any]:
    """A FAIL with one defect, as keyword arguments."""
    fields: dict[str, Any] = {
        "result_id": "res-1",
        "job_id": "job-1",
        "part_id": "p-1",
        "recipe": "bracket/1",
        "configuration_id": "0123456789abcdef",
        "is_simulated": True,
        "created_utc": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "outcome": Outcome.FAIL,
        "reasons": (ReasonMessage(reason=Reason.DEFECT, detail="1 defect"),),
        "score": 2.5,
        "coverage": 0.99,
        "defects": (),
        "defect_count": 1,
        "views": (),
        "alignment": None,
        "backend": "onnxruntime",
        "timing_ms": {"engine": 40.0},
    }
    return fields | changes


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "invalid JSON"),
        (b"\xff\x00", "invalid JSON"),
        (b"[1]", "object"),
        (b"{}", "allowed are prepare_recipe"),
        (b'{"command": "format_disk", "request_id": "r"}', "allowed are prepare_recipe"),
        (b'{"command": "reset"}', "request_id is missing"),
        (b'{"command": "reset", "request_id": 5}', "string"),
        (b'{"command": "reset", "request_id": "r", "force": true}', "force is not a known key"),
        (json.dumps(START | {"job_id": "a b"}).encode(), "pattern"),
        (json.dumps(START | {"job_id": "x" * 65}).encode(), "pattern"),
        (json.dumps(START | {"recipe": "../secret"}).encode(), "pattern"),
        (b"[" * 4000, "recursion"),
        (b" " * 5000, "at most 4096 bytes"),
    ],
)
def test_malformed_command_is_refused_in_one_line(payload: bytes, says: str) -> None:
    with pytest.raises(MalformedMessage, match=says) as caught:
        parse_command(payload)
    assert "\n" not in str(caught.value)


def test_refusal_echoes_the_request_id_when_it_is_legible() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_command(json.dumps(START | {"job_id": ""}).encode())
    assert caught.value.request_id == "r1"


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_command_parser(payload: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        parse_command(payload)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_survives_the_trip(name: str) -> None:
    fields = START | {"command": name, "recipe": "bracket/1", "result_id": "res-1"}
    model = next(m for m in Command.__args__ if m.model_fields["command"].default == name)
    command = model(**{k: v for k, v in fields.items() if k in model.model_fields})
    assert parse_command(command.to_json()) == command


@pytest.mark.parametrize(
    "change",
    [
        {"p_mm": [1, 2, float("nan")]},
        {"p_mm": [1, 2, float("inf")]},
        {"p_mm": [1, 2]},
        {"p_mm": [1, 2, 1e6]},
        {"q_wxyz": [0, 0, 0, 0]},
        {"q_wxyz": [1, 0, 0, 0.1]},
        {"q_wxyz": [1, 0, 0]},
        {"seq": -1},
        {"seq": True},
        {"seq": 1.5},
        {"t_robot_ns": 2**63},
        {"t_robot_ns": "5"},
        {"speed": 3},
    ],
)
def test_impossible_pose_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        parse_pose(json.dumps(POSE | change).encode())


def test_pose_keeps_its_numbers() -> None:
    pose = parse_pose(json.dumps(POSE).encode())
    assert (pose.seq, pose.t_robot_ns) == (1, 5)
    assert pose.p_mm == (1.0, 2.0, 3.0)
    assert pose.q_wxyz == (1.0, 0.0, 0.0, 0.0)


def test_verdict_survives_the_trip() -> None:
    verdict = VerdictMessage(**verdict_fields())
    assert VerdictMessage.model_validate_json(verdict.to_json()) == verdict
    reply = ResultReply(request_id="r", state=State.READY, result=verdict)
    assert parse_reply(reply.to_json()) == reply


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": Outcome.PASS},
        {"outcome": Outcome.PASS, "reasons": (), "score": None},
        {"outcome": Outcome.INDETERMINATE, "reasons": ()},
        {"reasons": ()},
        {"score": float("nan")},
        {"threshold": 0.5},
        {"is_partial": True},
    ],
)
def test_contradictory_verdict_cannot_be_built(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VerdictMessage(**verdict_fields(**change))


def test_full_verdict_stays_below_the_reply_limit() -> None:
    point = (-99999.123456789, 99999.123456789, 0.1234567890123)
    defect = DefectMessage(
        centroid_part_mm=point,
        centroid_base_mm=point,
        size_mm=(1.23456789, 2.3456789, 3.456789),
        volume_mm3=123456.789,
        peak_score=9.87654321,
        voxels=2**52,
        views=12,
    )
    reason = ReasonMessage(reason=Reason.ALIGNMENT_FAILED, detail="\x01" * MAX_DETAIL)
    view = ViewMessage(view=1, frame_id=2**52, uncertainty_mm=0.123456789, peak_score=1.23)
    verdict = VerdictMessage(
        **verdict_fields(
            defects=(defect,) * MAX_DEFECTS,
            reasons=(reason,) * MAX_REASONS,
            views=(view,) * 1000,
        )
    )
    assert len(verdict.to_json()) < MAX_REPLY_BYTES


def test_schema_names_every_message() -> None:
    definitions = messages_schema()["$defs"]
    for name in ("PoseMessage", "StartJob", "Refused", "VerdictMessage", "FaultMessage"):
        assert definitions[name]["additionalProperties"] is False


def test_committed_schema_is_up_to_date() -> None:
    committed = (ROOT / "docs/messages.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == messages_schema(), (
        "type: voxgate schema messages > docs/messages.schema.json"
    )


@pytest.mark.parametrize("steers", ["\\n", "\\u001b[2J", "\\u202e", "\\u2028", "\\u0085", "\\r"])
def test_an_unknown_key_forges_no_line_and_steers_no_terminal(steers: str) -> None:
    forged = f"x{steers}INFO voxgate: job=1 outcome=PASS"
    command = f'{{"command": "get_state", "request_id": "r1", "{forged}": 1}}'
    pose = f'{{"{forged}": 1}}'
    for parse, message in ((parse_command, command), (parse_pose, pose)):
        with pytest.raises(MalformedMessage) as refused:
            parse(message.encode())
        assert str(refused.value).isprintable()
        assert "is not a known key" in str(refused.value) or parse is parse_pose
