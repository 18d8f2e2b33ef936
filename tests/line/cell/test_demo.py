"""A demo that calls a wrong outcome a success would be worse than none."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.kits.journalled import passing_verdict
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from voxgate.runtime.errors import ScanError, ServiceError
from voxgate.runtime.nouns import Reason
from voxgate.sim.box import Box
from voxgate.sim.demo.demo import plan, run_demo, summary, unexpected
from voxgate.sim.demo.show import PlannedJob, jobs_table, latency_line
from voxgate.sim.field.faults import FaultError
from voxgate.sim.job_report import JobReport

EXAMPLES = ROOT / "examples"


def _report(*, passed: bool = True, verdict: bool = True, refused: str | None = None) -> JobReport:
    return JobReport(
        job_id="j1",
        scan="good",
        faults=(),
        verdict=passing_verdict("j1") if verdict else None,
        may_pass=passed,
        refused=refused,
        latency_ms=80.0 if verdict else None,
    )


def test_good_bad_and_disturbed_parts_come_in_turn() -> None:
    planned = plan(8, ["drop:view=3", "stop:view=5"])
    assert [job.expected[0] for job in planned] == list("PFPIPFPI")
    assert [job.faults for job in planned if job.faults] == [("drop:view=3",), ("stop:view=5",)]
    assert not any(job.faults for job in plan(5, []))


@pytest.mark.nightly
def test_a_demo_in_colour_passes_a_cap_of_another_hue(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    examples = small_bracket().parent
    code = run_demo(tmp_path, examples, 2, 4.0, faults=(), as_json=True, colour=True)
    told = json.loads(capfd.readouterr().out)
    assert [(job["scan"], job["outcome"]) for job in told["jobs"]] == [
        ("good", "PASS"),
        ("red_cap", "FAIL"),
    ]
    assert code == 0


@pytest.mark.parametrize(
    ("expected", "report"),
    [
        ("FAIL", _report()),
        ("INDETERMINATE", _report()),
        ("PASS", _report(passed=False)),
        ("PASS", _report(verdict=False, refused="busy: another job is open")),
    ],
)
def test_an_outcome_that_was_not_expected_is_told(expected: str, report: JobReport) -> None:
    assert len(unexpected([PlannedJob("good", expected)], [report])) == 1


def test_what_was_expected_is_no_complaint_and_a_missing_job_is_one() -> None:
    assert unexpected([PlannedJob("good", "PASS")], [_report()]) == []
    assert "1 jobs were not played" in unexpected([PlannedJob("good", "PASS")] * 2, [_report()])[0]


def test_a_program_reads_each_job_and_whether_all_came_true() -> None:
    planned = [PlannedJob("good", "PASS"), PlannedJob("bad", "FAIL")]
    told = json.loads(json.dumps(summary(planned, [_report(), _report()], ok=False)))
    assert told["ok"] is False
    assert [(job["outcome"], job["expected"]) for job in told["jobs"]] == [
        ("PASS", "PASS"),
        ("PASS", "FAIL"),
    ]
    assert told["jobs"][0]["latency_ms"] == 80.0
    assert told["jobs"][0]["reasons"] == []


@pytest.mark.parametrize("width", [80, 132])
def test_the_table_tells_outcome_and_latency_on_any_terminal(width: int) -> None:
    planned = [PlannedJob("good", "PASS"), PlannedJob("bad", "FAIL"), PlannedJob("bad", "FAIL")]
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(jobs_table(planned, [_report()], "title", width))
    text = console.export_text()
    assert "PASS" in text
    assert "80 ms" in text
    assert "scanning" in text
    assert max(map(len, text.splitlines())) <= width


def test_a_job_without_an_answer_shows_why() -> None:
    console = Console(width=132, record=True, file=io.StringIO())
    refused = _report(verdict=False, refused="busy: another job is open")
    console.print(jobs_table([PlannedJob("good", "PASS")], [refused], "title", 132))
    assert "busy" in console.export_text()
    assert latency_line([refused]) == "no verdict was published"
    assert "80 ms" in latency_line([_report()])


def test_the_demo_says_where_to_start_it_and_refuses_unknown_faults(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="repository's root"):
        run_demo(tmp_path / "out", tmp_path)
    with pytest.raises(FaultError, match="melt"):
        run_demo(tmp_path / "out", EXAMPLES, faults=("melt:view=3",))


@pytest.mark.nightly  # two boxes are started
def test_a_service_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    calibration = EXAMPLES / "bracket" / "calibration.json"
    with Box.start(tmp_path / "box", calibration, tmp_path / "recipes", None) as box:
        taken = {"sockets": box.config.sockets.model_dump(mode="json")}
        with Box.start(tmp_path / "2", calibration, tmp_path / "recipes", None, taken) as second:
            _end_of_either(box.process, second.process)
            loser = second if second.process.poll() is not None else box
            with pytest.raises(ServiceError, match=r"ended with 2: (?s:.*)tcp"):
                loser.check_alive()


def _end_of_either(*processes: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        for process in processes:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            return
    raise AssertionError("two services share their sockets")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_terminal_hides_why_a_part_failed(width: int) -> None:
    longest = max(Reason, key=lambda reason: len(reason.value)).value
    report = replace(_report(), scan="bracket_t03", faults=(longest,))
    screen = io.StringIO()
    console = Console(file=screen, width=width)
    console.print(jobs_table([PlannedJob(report.scan, "PASS")], [report], "title", width))
    assert "\u2026" not in screen.getvalue(), "something was cut off"
    for word in ("bracket_t03", "PASS", longest):
        assert word in screen.getvalue()
