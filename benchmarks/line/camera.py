"""12 Mpx Mono8 at 10 frames/s through the virtual GenICam camera: every frame, and what it costs.

A Python writer shows a new picture every 100 ms; the producer, harvesters and the runtime's own
camera worker's source take it. Both processes' share of a core is measured beside each other.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console

from voxgate.benchmarks.places import ROOT
from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings
from voxgate.runtime.cameras.setup import CameraSetup, Trigger
from voxgate.runtime.nouns import Frame
from voxgate.sim.gentl.build import build
from voxgate.sim.gentl.spec import CameraSpec, Timing
from voxgate.sim.gentl.virtual_camera import VirtualCamera

WIDTH_PX, HEIGHT_PX = 4096, 3000
RATE_HZ, SECONDS = 10.0, 30.0
SLOTS = 6
AHEAD_NS = 250_000_000
EXPOSURE_US = 5000.0
TIMING = Timing(readout_ns=40_000_000, latency_ns=200_000, latency_jitter_ns=1_000_000)


@dataclass(frozen=True, slots=True)
class Taken:
    """What the consumer saw; ms from the end of readout and link to the frame in Python."""

    frames: int
    lost: int
    faults: dict[str, int]
    wrong: int
    delay_ms: list[float]
    writer_share: float
    consumer_share: float


def main() -> None:
    """Half a minute."""
    measure(Console())


def measure(console: Console, seconds: float = SECONDS) -> None:
    """Print what came of `seconds` of frames."""
    taken = run(seconds)
    megabytes = WIDTH_PX * HEIGHT_PX * RATE_HZ / 1e6
    console.print(
        f"{WIDTH_PX} x {HEIGHT_PX} Mono8 at {RATE_HZ:g} frames/s ({megabytes:.0f} MB/s), "
        f"{seconds:g} s: {taken.frames} frames, {taken.lost} lost, {taken.wrong} with other "
        f"pixels, faults {taken.faults or 'none'}"
    )
    p50, worst = np.percentile(taken.delay_ms, [50, 100])
    console.print(
        f"due to taken: p50 {p50:.1f} ms, worst {worst:.1f} ms; writer "
        f"{taken.writer_share:.0%} of a core, consumer {taken.consumer_share:.0%}"
    )


def run(seconds: float, serial: str | None = None) -> Taken:
    """Stream for `seconds`; the writer is a process of its own."""
    serial = serial or f"bench-{os.getpid()}"
    producer = build(ROOT / "out" / "gentl")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    writer = context.Process(target=_write, args=(serial, theirs), daemon=True)
    writer.start()
    assert writer.pid is not None
    try:
        ours.recv()
        return _take(producer, serial, seconds, ours, psutil.Process(writer.pid))
    finally:
        writer.terminate()
        writer.join()


def _write(serial: str, line: Connection) -> None:
    """Shows picture n, whose first pixels spell n, and lets its exposure begin."""
    spec = CameraSpec(serial, WIDTH_PX, HEIGHT_PX, slots=SLOTS, timing=TIMING)
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT_PX, WIDTH_PX)).astype(np.uint8)
    with VirtualCamera(spec) as camera:
        line.send("made")
        line.recv()
        due_ns = time.monotonic_ns() + AHEAD_NS
        for number in range(1, 10**9):
            pixels.reshape(-1)[:8] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)
            camera.show(number % SLOTS, pixels)
            camera.fire(due_ns, number % SLOTS)  # ahead: what is measured is not this loop's sleep
            due_ns += round(1e9 / RATE_HZ)
            time.sleep(max(0, due_ns - AHEAD_NS - time.monotonic_ns()) / 1e9)
            if line.poll():
                lost = camera.counts.lost + camera.counts.missed_triggers
                line.send((lost, [(t.frame_id, t.t_start_ns) for t in camera.truths()]))
                return


def _take(
    producer: Path, serial: str, seconds: float, line: Connection, writer: psutil.Process
) -> Taken:
    setup = CameraSetup(exposure_us=EXPOSURE_US, trigger=Trigger("Line1"))
    source = GenicamSettings(str(producer), serial, setup=setup, exposure_us=EXPOSURE_US, buffers=8)
    settings = CameraSettings("cam0", source, WIDTH_PX, HEIGHT_PX, depth=False)
    taker = GenicamSource(settings, source)
    taker.open()
    own = psutil.Process()
    try:
        line.send("go")
        own.cpu_percent()
        writer.cpu_percent()
        frames, faults = _collect(taker, seconds)
        shares = writer.cpu_percent() / 100, own.cpu_percent() / 100
        line.send("stop")
        lost, truths = line.recv()
    finally:
        taker.close()
    begun = dict(truths)
    way_ns = round(EXPOSURE_US * 1000) + TIMING.readout_ns + TIMING.latency_ns
    return Taken(
        frames=len(frames),
        lost=lost + sum(after[0] - before[0] - 1 for before, after in pairwise(frames)),
        faults=dict(faults),
        wrong=sum(number != frame_id for frame_id, number, _ in frames),
        delay_ms=[(t_ns - begun[i] - way_ns) / 1e6 for i, _, t_ns in frames if i in begun],
        writer_share=shares[0],
        consumer_share=shares[1],
    )


def _collect(
    taker: GenicamSource, seconds: float
) -> tuple[list[tuple[int, int, int]], Counter[str]]:
    """(frame id, number in the picture, arrival ns) of each frame, and faults by kind."""
    frames: list[tuple[int, int, int]] = []
    faults: Counter[str] = Counter()
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        item = taker.take()
        if isinstance(item, Frame):
            number = int.from_bytes(item.image.reshape(-1)[:8].tobytes(), "little")
            frames.append((item.frame_id, number, item.t_arrival_ns))
        elif item is not None:
            faults[item.kind.value] += item.count
        else:
            time.sleep(0.001)
    return frames, faults


if __name__ == "__main__":
    main()
