"""What a run of a model may take: of a GPU's memory, and of time on this machine's processor."""

from __future__ import annotations

import math
import statistics
import time

import onnx

from voxgate.export.graph.attention import MOST_BYTES, SCORES, is_in_pieces
from voxgate.export.graph.memory import MB, GraphMemory, memory_of
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine
from voxgate.runtime.errors import EngineError

RUNS = 3
GPU_MB = 4096  # half of the smallest Jetson that has a GPU to speak of, an Orin NX of 8 GB
PATCH_PX = 112  # every side that transformers' patches of 8, 14 and 16 px fill


def check_memory(graph: onnx.ModelProto, method: str, side_px: int | None, most_mb: int) -> int:
    """MB that a run needs, weights included; told before the hours of an export, not after.

    side_px: of the square that the network sees, where --input-px chooses it. Raises EngineError
    for more than most_mb, with what fits.
    """
    needs = memory_of(graph)
    if needs.total_mb <= most_mb:
        return needs.total_mb
    instead = _instead(needs, is_in_pieces(graph), side_px, most_mb * MB)
    raise EngineError(
        f"{method}: a run needs {needs.total_mb:,} MB of a GPU, {-(-needs.constants // MB):,} of "
        f"them weights, at most {most_mb:,} are allowed: {instead}, or a larger --gpu-mb"
    )


def _instead(needs: GraphMemory, in_pieces: bool, side_px: int | None, most: int) -> str:
    if side_px is None:
        return "choose a smaller backbone or bank"
    side = fitting_side(needs.alive, in_pieces, side_px, most - needs.constants)
    return f"--input-px {side} fits" if side else "choose a smaller --input-px, backbone or bank"


def fitting_side(alive: int, in_pieces: bool, side_px: int, left: int) -> int | None:
    """The side, px, at which what is alive fits into `left` bytes; None where none does.

    Maps grow with the square of the side; a piece of attention's scores does not.
    """
    fixed = min(alive, SCORES * MOST_BYTES) if in_pieces else 0
    if left <= fixed:
        return None
    share = (left - fixed) / max(alive - fixed, 1)
    side = math.floor(side_px * math.sqrt(share)) // PATCH_PX * PATCH_PX
    return side or None


def check_time(engine: Engine, sample: Sample, threads: int, most_ms: float | None) -> float:
    """Median ms of one run: what a larger bank or input costs shows here first.

    Raises EngineError for more than most_ms.
    """
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        engine.run(dict(sample.inputs))
        times.append((time.perf_counter() - begun) * 1e3)
    ms = statistics.median(times)
    if most_ms is not None and ms > most_ms:
        raise EngineError(
            f"a run takes {ms:.0f} ms on {threads} threads here, at most {most_ms:g} are allowed: "
            "choose a smaller bank (--coreset) or input (--input-px), or a larger --most-ms"
        )
    return ms
