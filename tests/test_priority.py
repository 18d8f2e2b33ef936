"""Preparing runs behind inspecting; what serves afterwards does not."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.priority import _may_come_back, background


@pytest.mark.skipif(not _may_come_back(), reason="this process may not raise a thread again")
def test_helper_that_was_started_in_the_background_serves_as_fast_as_others() -> None:
    def policy() -> int:
        return os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as owner, ThreadPoolExecutor(1) as helper:

        def prepare() -> tuple[int, int]:
            with background():
                return policy(), helper.submit(policy).result()

        assert owner.submit(prepare).result() == (os.SCHED_IDLE, os.SCHED_IDLE)
        assert owner.submit(policy).result() == os.SCHED_OTHER
        assert helper.submit(policy).result() == os.SCHED_OTHER
    assert policy() == os.SCHED_OTHER


def test_process_that_may_not_raise_threads_never_lowers_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.priority._may_come_back", lambda: False)
    seen = []

    def prepare() -> None:
        with background():
            seen.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=prepare)
    thread.start()
    thread.join()
    assert seen == [os.SCHED_OTHER]
