"""One packet of a hundred is lost on the way: no bad part becomes a good one, no job is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.kits.needs import LOSSY_NETWORK, has, may_unshare
from tests.kits.repository import ROOT

PER_THOUSAND = 10


def lossy(jobs: int, timeout_s: int) -> dict[str, Any]:
    """`jobs` bad parts and as many good ones in a network namespace of their own."""
    if not (may_unshare("--net") and has("nft", "ip")):
        pytest.skip(f"needs {LOSSY_NETWORK}")
    done = subprocess.run(
        [
            *("unshare", "--net", sys.executable, "-m", "tests.kits.lossy_line"),
            *(str(jobs), str(PER_THOUSAND)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if "Operation not permitted" in done.stderr and not done.stdout:
        pytest.skip("may not make a network namespace")
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def check(told: dict[str, Any], jobs: int) -> None:
    heard = told["heard"]
    assert len(heard) == 2 * jobs
    assert told["dropped"] > 0, "nothing was lost, so nothing is proven"
    for job_id, outcome in heard.items():
        if job_id.startswith("FAIL"):
            assert outcome in ("FAIL", "INDETERMINATE"), job_id
        else:
            assert outcome in ("PASS", "INDETERMINATE"), job_id
    assert "FAIL" in heard.values(), "what decides nothing proves nothing"
    assert "PASS" in heard.values(), "what decides nothing proves nothing"


@pytest.mark.nightly  # by day what is lost is chosen: test_line.py
def test_lost_packets_make_no_bad_part_good() -> None:
    check(lossy(jobs=10, timeout_s=170), 10)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_lost_packets_make_no_bad_part_good_in_hundreds_of_jobs() -> None:
    check(lossy(jobs=200, timeout_s=1790), 200)
