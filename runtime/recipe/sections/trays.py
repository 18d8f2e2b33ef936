"""How faint a fault of one part of a tray must be found."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxgate.runtime.recipe.sections.section import Section


class FaintestSection(Section):
    """What must be found on a tray, a mark as wide as the smallest defect and a hollow twice as
    wide; None: nobody said."""

    contrast: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of the grey value that a mark takes or adds"
    )
    depth_mm: Annotated[float, Field(gt=0, le=100)] | None = Field(
        default=None, description="depth of a hollow"
    )
