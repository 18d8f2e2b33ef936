"""By what scans are placed and inspected, without the rest of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.sections import CellConfig, EngineSection, Sync

_LIMITS, _SYNC, _ENGINE = Limits(), Sync(), EngineSection()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a cell's YAML says about an inspection; without one, what the YAML's defaults say."""

    limits: Limits = _LIMITS
    max_gap_ns: int = _SYNC.max_gap_ns
    backend: str = _ENGINE.backend
    threads: int = _ENGINE.threads
    plans: Path | None = None  # none: beside the recipes

    @classmethod
    def from_config(cls, config: CellConfig) -> Settings:
        """Those by which the service of this cell inspects."""
        engine = config.engine
        return cls(
            config.limits, config.sync.max_gap_ns, engine.backend, engine.threads, engine.plans
        )


DEFAULTS = Settings()
