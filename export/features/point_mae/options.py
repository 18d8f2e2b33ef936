"""What a person may choose of Point-MAE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.point_mae.features import PointSense
from voxgate.export.features.point_mae.weights import load_points, point_network
from voxgate.export.features.preprocessing import Fit
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.sections.shapes import PointsSection


@dataclass(frozen=True, slots=True)
class PointsOptions:
    """groups, group_size, side_px: as CFM and M3DM published them. cells: a side of the grid that
    features are compared on; None: it depends (see `open`)."""

    weights: Path | None = None
    groups: int = 1024
    group_size: int = 128
    side_px: int = 224
    cells: int | None = None

    def open(self, fit: Fit, *, per_pixel: bool = False, padded: bool = False) -> PointSense:
        """per_pixel: unless said otherwise cells are pixels, as published, and not the picture's
        patches. padded: as in `PointSense`. Raises EngineError."""
        path = self._named()
        section = PointsSection(
            groups=self.groups, group_size=self.group_size, side_px=self.side_px, fit=fit
        )
        cells = self.side_px if self.cells is None and per_pixel else self.cells
        return PointSense(point_network(load_points(path), path), section, cells, padded)

    def origin(self) -> dict[str, str]:
        """For the provenance. Raises EngineError."""
        return {"points_sha256": sha256_of(self._named())}

    def _named(self) -> Path:
        if self.weights is None:
            raise EngineError("shape point-mae: name the file of its weights with --points-weights")
        return self.weights


def kept(sense: PointSense) -> Mapping[str, Any]:
    """What a model file keeps of it."""
    return {
        "weights": sense.network.state_dict(),
        "section": sense.section.model_dump(),
        "cells": sense.cells,
    }


def as_kept(content: Mapping[str, Any], path: Path) -> PointSense:
    """Out of a model file. Raises EngineError."""
    section = PointsSection.model_validate(content["section"])
    return PointSense(point_network(content["weights"], path), section, content["cells"])
