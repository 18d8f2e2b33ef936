"""What every section of a manifest forbids: unknown keys, changes, infinite numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Of a manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
