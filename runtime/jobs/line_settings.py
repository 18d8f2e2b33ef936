"""By what a line places views and inspects: what the replay of a job's recording must know."""

from __future__ import annotations

from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.sync.stamps import stamps


def line_settings(config: CellConfig) -> dict[str, object]:
    """Of this cell, as plain JSON values; they go into every recording's header."""
    how = stamps(config)
    return {
        "limits": config.limits.model_dump(),
        "max_gap_ns": int(config.sync.max_gap_ms * NS_PER_MS),
        "on_arrival": how.on_arrival,
        "shared_ns": how.shared_ns,
        "backend": config.engine.backend,
        "threads": config.engine.threads,
    }
