"""A calibration's report: which steps made it, when, how well, and what was forced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.errors import ServiceError


def calibration_report(*files: Path) -> dict[str, object]:
    """Of a cell's cameras. Raises ServiceError for a file that is not there or is none."""
    reports = [_report(file) for file in files]
    first = reports[0]
    if len(reports) == 1:
        return first
    steps = [
        {**step, "step": f"{report['file']}: {step['step']}"}
        for report in reports
        for step in report["steps"]
    ]
    return {
        "file": ", ".join(report["file"] for report in reports),
        "part": first["part"],
        "digest": ", ".join(str(report["digest"]) for report in reports),
        "steps": steps,
    }


def _report(file: Path) -> dict[str, Any]:
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
