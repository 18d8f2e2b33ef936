"""A user's zones: JSON with boxes, or with points that somebody labelled on CAD or golden surface.

    {"bore": {"box_mm": [[-20, -20, 60], [20, 20, 100]]},
     "seat": {"points": "seat.npz"}}

`points` names an .npz beside the file with points_mm (n, 3), golden part's frame, mm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.zones import Zones

REST_NAME = "rest"


def load_zones(path: Path, voxel_mm: float) -> Zones:
    """All at threshold 1.0. Raises RecipeError with file and zone."""
    try:
        fields = parse_object(path.read_text("utf-8"))
        return _zones(fields, path, voxel_mm)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError) as error:
        raise RecipeError(f"{path}: {one_line(error, most=None)}") from error


def _zones(fields: Fields, path: Path, voxel_mm: float) -> Zones:
    names = [REST_NAME]
    boxes: list[npt.NDArray[np.float64]] = []
    box_zone: list[int] = []
    labels: list[npt.NDArray[np.float64]] = [np.zeros((0, 3))]
    label_zone: list[int] = []
    for number, name in enumerate(fields.values, start=1):
        names.append(name)
        zone = fields.object_at(name)
        if zone.has("box_mm") == zone.has("points"):
            raise ValueError(f"zone {name!r} has box_mm or points, one of them")
        if zone.has("box_mm"):
            boxes.append(zone.numbers("box_mm", (2, 3)))
            box_zone.append(number)
        else:
            points = _points(path.parent / zone.text("points"))
            labels.append(points)
            label_zone += [number] * len(points)
    return Zones(
        names=tuple(names),
        thresholds=np.ones(len(names)),
        boxes=np.array(boxes).reshape(-1, 2, 3),
        box_zone=np.array(box_zone, np.int32),
        labels=np.concatenate(labels),
        label_zone=np.array(label_zone, np.int32),
        voxel_mm=voxel_mm,
    )


def _points(path: Path) -> npt.NDArray[np.float64]:
    with np.load(path, allow_pickle=False) as file:
        points: npt.NDArray[Any] = file["points_mm"]
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise ValueError(f"{path}: points_mm must be (n, 3), got {points.shape}")
    return points.astype(np.float64)
