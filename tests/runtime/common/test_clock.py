"""One time for all processes of a service, and nobody's correction of it."""

from __future__ import annotations

import subprocess
import sys
import time

from voxgate.runtime.cameras.own_process import _environment
from voxgate.runtime.common.clock import ZERO_NS, steady_ns

MS = 1_000_000


def test_a_cameras_process_has_a_clock_of_its_own() -> None:
    """It may start days after the service."""
    code = "from voxgate.runtime.common.clock import ZERO_NS; print(ZERO_NS)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(ZERO_NS), capture_output=True, check=True
    )
    assert int(done.stdout) == ZERO_NS


def test_host_time_is_slewed_with_the_monotonic_clock() -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    now_ns = steady_ns()
    after_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    assert before_ns <= now_ns - ZERO_NS <= after_ns


def test_host_time_begins_elsewhere_than_the_monotonic_clock() -> None:
    """Whoever holds both side by side, as tests and virtual cells do, is off by a service's age."""
    assert abs(steady_ns() - time.monotonic_ns()) < 5_000 * MS
