"""What a running box takes of its machine: the service and all that it started."""

from __future__ import annotations

import time

import psutil

from voxgate.sim.box import Box

IDLE_S = 10.0


def processes_of(box: Box) -> list[psutil.Process]:
    """The service's own first."""
    service = psutil.Process(box.process.pid)
    return [service, *service.children(recursive=True)]


def spent_s(box: Box) -> float:
    """CPU time so far, s."""
    return sum(sum(process.cpu_times()[:2]) for process in processes_of(box))


def idle_share(box: Box) -> float:
    """Share of one core that they use while nothing is inspected."""
    before_s, begun_ns = spent_s(box), time.monotonic_ns()
    time.sleep(IDLE_S)
    return (spent_s(box) - before_s) / ((time.monotonic_ns() - begun_ns) / 1e9)


def resident_mib(box: Box) -> float:
    """Resident memory, MiB; pages that several share are counted in each."""
    return sum(process.memory_info().rss for process in processes_of(box)) / 2**20


def together_mb(box: Box) -> float:
    """Memory, MB; pages that several share are counted once."""
    return sum(process.memory_full_info().pss for process in processes_of(box)) / 1e6
