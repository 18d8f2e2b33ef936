"""What the service measures of itself, as it tells Prometheus on this machine."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from voxgate.runtime.common.endpoints import is_loopback
from voxgate.runtime.config.sections import MetricsSection
from voxgate.runtime.errors import ServiceError

TIMEOUT_S = 2.0
MOST_BYTES = 4 << 20
SHOWN = (
    *("voxgate_clock_offset_seconds", "voxgate_clock_residual_seconds"),
    *("voxgate_pose_gap_seconds", "voxgate_calibration_drift_mm"),
    *("voxgate_disk_free_bytes", "voxgate_evidence_bytes", "voxgate_evidence_files"),
    *("voxgate_camera_streams", "voxgate_camera_events_total", "voxgate_queue_depth"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One series. of: its labels, "" where it has none."""

    name: str
    of: str
    value: float


def figures(section: MetricsSection) -> list[Figure]:
    """Those that people look after. Raises ServiceError where they are not told to this page."""
    if not section.enabled:
        raise ServiceError("metrics are switched off (metrics.enabled): no clocks, drift and disk")
    if section.tls is not None or section.basic_auth is not None or not is_loopback(section.host):
        raise ServiceError("metrics are behind a password that this page does not have")
    host = f"[{section.host}]" if ":" in section.host else section.host
    try:
        with urllib.request.urlopen(
            f"http://{host}:{section.port}/metrics", timeout=TIMEOUT_S
        ) as told:
            text = told.read(MOST_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise ServiceError("metrics are not told: is the cell served?") from error
    return list(_shown(text))


def _shown(text: str) -> Iterator[Figure]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in SHOWN and sample.value == sample.value:
                labels = ", ".join(sample.labels.values())
                yield Figure(sample.name.removeprefix("voxgate_"), labels, float(sample.value))
