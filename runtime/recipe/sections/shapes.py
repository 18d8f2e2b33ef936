"""How the box describes a depth map to a model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from voxgate.runtime.recipe.sections.section import Section


class FpfhSection(Section):
    """How the box describes the shape around each point: FPFH, as SiM3D (S.6) takes it.

    Normals from points within normal_radius_mm, features from points within feature_radius_mm, at
    most so many nearest ones; a descriptor at every step_px-th pixel of both directions.
    """

    normal_radius_mm: Annotated[float, Field(gt=0, le=100)] = 4.0
    normal_neighbours: Annotated[int, Field(ge=3, le=1000)] = 30
    feature_radius_mm: Annotated[float, Field(gt=0, le=200)] = 10.0
    feature_neighbours: Annotated[int, Field(ge=3, le=1000)] = 100
    step_px: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _normals_look_no_farther(self) -> FpfhSection:
        farther = self.normal_radius_mm > self.feature_radius_mm
        if farther or self.normal_neighbours > self.feature_neighbours:
            raise ValueError("normals are taken from the neighbours that features are taken from")
        return self


class PointsSection(Section):
    """How the box groups a view's points for Point-MAE, as CFM and M3DM do.

    The organised cloud, padded to a square or stretched to it, at every nearest of side_px x
    side_px pixels; farthest points of it, each with its nearest ones.
    """

    groups: Annotated[int, Field(ge=3, le=4096)] = 1024
    group_size: Annotated[int, Field(ge=1, le=1024)] = 128
    side_px: Annotated[int, Field(ge=8, le=1024)] = 224
    fit: Literal["pad", "stretch"] = "pad"

    @property
    def rows(self) -> int:
        """Of the tensor `points`: centres, members, and two rows a pixel."""
        return self.groups * (1 + self.group_size) + 2 * self.side_px**2


ShapeSection = FpfhSection | PointsSection


def name_of(section: ShapeSection) -> str:
    """Of the input that it says how to make."""
    return "fpfh" if isinstance(section, FpfhSection) else "points"


def shape_fields(section: ShapeSection | None) -> dict[str, ShapeSection]:
    """Of a manifest: the section under its input's name."""
    return {} if section is None else {name_of(section): section}
