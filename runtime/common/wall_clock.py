"""The one place that asks for the time of day. It goes into records and decides nothing."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(tz=timezone.utc)
