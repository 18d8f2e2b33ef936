"""A recorded job as a page: its verdict, and every view that was inspected."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.report.page import Seen, page
from voxgate.runtime.report.recorded_views import RecordedViews


def report(recording: Path) -> str:
    """HTML of the job in an .mcap file. Raises ScanError, CalibrationError for one that is none."""
    views = RecordedViews.open(recording)
    if views.verdict is None:
        raise ScanError(f"{recording}: holds no verdict: `voxgate replay` inspects it")
    seen = [Seen(each.caption, views.picture(each)) for each in views.seen]
    return page(views.verdict, views.cell, seen)
