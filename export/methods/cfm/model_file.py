"""Mappings as `voxgate train cfm` leaves them: the backbone and how it sees are in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.features.checkpoint import State
from voxgate.export.features.model_file import is_model, read_model, write_model
from voxgate.export.features.picture_and_shape import Shape
from voxgate.export.features.preprocessing import Fit
from voxgate.export.features.weights_file import read_content
from voxgate.runtime.recipe.sections.shapes import FpfhSection

FORMAT, METHOD = "voxgate-cfm-1", "cfm"
_AS_THEY_ARE = (
    "backbone", "weights_sha256", "shape", "input_px", "fit", "record",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class TrainedMappings:
    """weights: of the backbone. range_mm: 0 and 1 of a depth picture. record: of the training.
    points: of Point-MAE, where it sees the shape: its weights, section and cells."""

    backbone: str
    weights: State
    weights_sha256: str
    shape: Shape
    input_px: int
    fit: Fit
    fpfh: FpfhSection
    range_mm: tuple[float, float]
    to_shape: State
    to_picture: State
    record: Mapping[str, Any]
    points: Mapping[str, Any] | None = None


def write_mappings(path: Path, trained: TrainedMappings) -> None:
    """The whole file or none."""
    content = {name: getattr(trained, name) for name in _AS_THEY_ARE} | {
        "weights": dict(trained.weights),
        "to_shape": dict(trained.to_shape),
        "to_picture": dict(trained.to_picture),
        "fpfh": trained.fpfh.model_dump(),
        "range_mm": list(trained.range_mm),
        "record": dict(trained.record),
        "points": None if trained.points is None else dict(trained.points),
    }
    write_model(path, FORMAT, METHOD, content)


def was_trained_here(path: Path) -> bool:
    """Whether `voxgate train cfm` wrote the file. Raises EngineError for one that is no model."""
    return is_model(path, read_content(path, "a checkpoint of CFM"), FORMAT)


def read_mappings(path: Path) -> TrainedMappings:
    """Raises EngineError for a file of another form."""
    content = read_model(path, FORMAT, METHOD, "name its backbone with --weights")
    near_mm, far_mm = content["range_mm"]
    return TrainedMappings(
        weights=content["weights"],
        to_shape=content["to_shape"],
        to_picture=content["to_picture"],
        fpfh=FpfhSection.model_validate(content["fpfh"]),
        range_mm=(float(near_mm), float(far_mm)),
        points=content.get("points"),
        **{name: content[name] for name in _AS_THEY_ARE},
    )
