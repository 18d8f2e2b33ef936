"""A calibration's report: which steps made it, when, how well, and what was forced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.errors import ServiceError


def calibration_report(file: Path) -> dict[str, object]:
    """Raises ServiceError for a file that is not there or is none."""
    try:
        said = parse_object(file.read_text("utf-8")).values
    except (OSError, ValueError) as error:
        raise ServiceError(f"{file.name}: cannot be read: {error}") from error
    steps = said.get("steps")
    known = steps if isinstance(steps, Mapping) else {}
    return {
        "file": file.name,
        "part": said.get("part"),
        "digest": said.get("digest"),
        "steps": [_step(name, step) for name, step in known.items() if isinstance(step, Mapping)],
    }


def _step(name: str, step: Mapping[str, Any]) -> dict[str, object]:
    kept = ("created_utc", "figures", "limits", "missed", "forced")
    return {"step": name, **{key: step.get(key) for key in kept}}
