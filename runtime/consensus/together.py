"""All that is asked of all views together, as long as a recipe is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus import faint, raised, tint
from voxgate.runtime.consensus.faint import Faint
from voxgate.runtime.consensus.pieces import Pieces, scale_of
from voxgate.runtime.consensus.raised import Raised
from voxgate.runtime.consensus.tint import Tints
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """seen: by the camera's pixels; measured: by those that measure depth, which may be the same.
    tints, faint: None where no model compares with golden pictures. raised: None where the export
    did not see how good parts are: of a rendered one, whose edges are sharp and round on every real
    one.
    """

    seen: Pieces
    measured: Pieces
    tints: Tints | None
    faint: Faint | None
    raised: Raised | None

    @classmethod
    def of(
        cls, recipe: Recipe, surface: Surface, golden: Sequence[ExpectedView], rays: Rays
    ) -> Together:
        """Of the recipe's golden views."""
        manifest, grid = recipe.manifest, recipe.grid
        tints, faint, off = None, None, None
        seen = Pieces(surface, rays, grid.voxel_mm, scale_of(grid.voxel_mm, golden))
        shapes = [each.shape for each in golden]
        scale = scale_of(grid.voxel_mm, shapes)
        measured = Pieces(surface, rays.shape, grid.voxel_mm, scale)
        if any(each.manifest.compares for each in recipe.models):
            tints = Tints(seen, grid, len(golden), manifest.tint)
            faint = Faint(seen, grid, len(golden), manifest.agreed)
        if golden and manifest.geometry and manifest.raised_mm is not None:
            off = Raised(measured, shapes, manifest.tolerance_mm, manifest.raised_mm)
        return cls(seen, measured, tints, faint, off)

    def forget(self) -> None:
        """What was said of the last part."""
        for each in (self.tints, self.faint, self.raised):
            if each is not None:
                each.forget()

    def add(
        self, planned: int, view: View, registered: Registered, reference_from_part: Transform
    ) -> None:
        """One more view of it."""
        if self.tints is None and self.raised is None:
            return
        pixels = self.measured.pixels(view.shape, reference_from_part)
        if self.raised is not None:
            self.raised.add(planned, registered.shape, pixels)
        if self.tints is not None and self.faint is not None:
            if view.sensed is not None:
                pixels = self.seen.pixels(view, reference_from_part)
            self.tints.add(planned, view, registered, pixels)
            self.faint.add(planned, view, registered, pixels)

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume; after the last one."""
        for each in (self.tints, self.faint, self.raised):
            if each is not None:
                each.fuse(volume, reference_from_part, crew)


def warm_up() -> None:
    """Compile (or load) the kernels of this room."""
    tint.warm_up()
    faint.warm_up()
    raised.warm_up()
