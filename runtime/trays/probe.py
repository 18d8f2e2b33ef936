"""A recipe's own tray, judged again at load: the same scores, or the recipe does not serve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.contents import TrayProbe
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scenes.scene import SceneView, scene_view
from voxgate.runtime.trays.judge import TrayJudge


def prove(recipe: Recipe, rays: Rays, crew: Crew) -> None:
    """Raises RecipeError unless the recipe's tray is told as it was at export."""
    probe = recipe.tray_probe
    if probe is None:
        raise RecipeError(f"recipe {recipe.label}: holds no tray that proves it: export it again")
    found = told(probe, rays, recipe.manifest.grid.table_z_mm, crew)
    tolerance = recipe.manifest.probe_tolerance
    if found.shape != probe.score.shape or not np.allclose(
        found, probe.score, rtol=tolerance, atol=tolerance, equal_nan=True
    ):
        raise RecipeError(
            f"recipe {recipe.label}: its own tray is told otherwise here than at export, "
            f"{_words(found)} in place of {_words(probe.score)}: export it again with this version"
        )


def told(probe: TrayProbe, rays: Rays, table_z_mm: float, crew: Crew) -> npt.NDArray[np.float64]:
    """(n,) scores of its instances, NaN of one that was not compared."""
    small, planned = thinned(rays, probe.stride_px), len(probe.image)
    judge = TrayJudge(small, planned, table_z_mm, crew, in_colour=probe.in_colour)
    for view in views_of(probe):
        judge.add(view)
    scores = [each.score for each in judge.finish().judged]
    return np.array([np.nan if score is None else score for score in scores], np.float64)


def views_of(probe: TrayProbe) -> Sequence[SceneView]:
    """As they are judged."""
    return [
        scene_view(number, picture, depth_mm, pose)
        for number, (picture, depth_mm, pose) in enumerate(
            zip(probe.image, probe.depth_mm, probe.part_from_camera, strict=True)
        )
    ]


def thinned(rays: Rays, stride_px: int) -> Rays:
    """Of every stride_px-th pixel of both directions."""
    lens = rays.lens.copy()
    lens[:4] /= stride_px
    x, y = (np.ascontiguousarray(each[::stride_px, ::stride_px]) for each in (rays.x, rays.y))
    return Rays(x, y, lens)


def _words(scores: npt.NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{each:.3f}" for each in scores) + "]"
