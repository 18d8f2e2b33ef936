"""What the fields of a cell's YAML are made of: names, endpoints, paths, numbers with a unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from voxgate.runtime.common.endpoints import checked_endpoint

BASE = "base"
"""Key of the validation context: the folder of the YAML, which its relative paths start from."""


class Section(BaseModel):
    """Frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def about(
    title: str,
    description: str,
    *,
    unit: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A field's title, description, unit and range, for people, editors and the schema."""
    extra: dict[str, Any] | None = {"unit": unit} if unit else None
    return Field(title=title, description=description, ge=low, le=high, json_schema_extra=extra)


def _from_base(value: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get(BASE, Path())
    return base / value


Endpoint = Annotated[str, AfterValidator(checked_endpoint)]
FilePath = Annotated[Path, AfterValidator(_from_base)]
NAME = r"^[a-z0-9_-]{1,32}$"
Name = Annotated[str, Field(pattern=NAME)]
