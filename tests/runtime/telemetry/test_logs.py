"""journald files every line by its severity; a person at a terminal sees it as text."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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


def written(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
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
