"""journald files every line by its severity; a person at a terminal sees it as text."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from voxgate.runtime.telemetry.logs import BURST, PER_S, TRACES, Sparing

SCRIPT = """
import logging
from voxgate.runtime.telemetry.logs import set_up
set_up("info")
logging.getLogger("a.b").debug("too fine")
logging.getLogger("a.b").info("job=%s outcome=%s", "j1", "PASS")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("a.b").exception("broken")
"""


def written(script: str = SCRIPT, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**{k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()


def test_every_line_for_journald_has_its_severity() -> None:
    first, *error = written(JOURNAL_STREAM="8:1234")
    assert first == "<6>a.b: job=j1 outcome=PASS"
    assert len(error) > 2
    assert all(line.startswith("<3>") for line in error)


@pytest.mark.parametrize("stream", [{}, {"JOURNAL_STREAM": ""}])
def test_a_person_sees_words(stream: dict[str, str]) -> None:
    assert written(**stream)[0] == "INFO a.b: job=j1 outcome=PASS"


FORGED = """
import logging
from voxgate.runtime.telemetry.logs import set_up
set_up("info")
said = "x\\nINFO job=1 outcome=PASS \\x1b[2J \\u202e \\x85 \\ud800"
logging.getLogger("a").warning("key %s", said)
try:
    raise ValueError("x\\r\\nINFO job=1 outcome=PASS\\x1b[1A")
except ValueError:
    logging.getLogger("a").exception("broken")
"""


@pytest.mark.parametrize("stream", [{}, {"JOURNAL_STREAM": "8:1234"}])
def test_what_somebody_said_makes_no_line_of_its_own_and_steers_no_terminal(
    stream: dict[str, str],
) -> None:
    first, *trace = written(FORGED, **stream)
    assert r"x\nINFO job=1 outcome=PASS \x1b[2J \u202e" in first
    assert all(line.isprintable() for line in (first, *trace))
    assert not any(line.startswith("INFO job=1") for line in trace)


def record(line: int, trace: bool = False) -> logging.LogRecord:
    info = (ValueError, ValueError("x"), None) if trace else None
    return logging.LogRecord("a", logging.INFO, "f.py", line, "said %d", (line,), info)


@pytest.mark.parametrize(("trace", "most"), [(False, BURST), (True, TRACES)])
def test_a_line_that_is_said_a_thousand_times_does_not_fill_the_disk(
    trace: bool, most: int
) -> None:
    now_s = 0.0
    sparing = Sparing(lambda: now_s)
    assert sum(bool(sparing.filter(record(1, trace))) for _ in range(1000)) == most
    assert sparing.filter(record(2))
    now_s = 1 / PER_S if not trace else 10.0
    again = record(1, trace)
    assert sparing.filter(again)
    assert f"{1000 - most} such lines were not written" in again.getMessage()
