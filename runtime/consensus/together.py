"""All that is asked of all views together, as long as a recipe is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus import raised, tint
from voxgate.runtime.consensus.pieces import Pieces
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
    """tints: None where no model compares with golden pictures. raised: None where shape does not
    score; where the golden part was rendered: what is sharp there is round on every real one; and
    where a sensor sees it from beside the camera, which tells edges less alike from view to view.
    """

    pieces: Pieces
    tints: Tints | None
    raised: Raised | None

    @classmethod
    def of(
        cls, recipe: Recipe, surface: Surface, golden: Sequence[ExpectedView], rays: Rays
    ) -> Together:
        """Of the recipe's golden views."""
        manifest, grid, tints, off = recipe.manifest, recipe.grid, None, None
        pieces = Pieces(surface, rays, grid.voxel_mm)
        if any(each.manifest.compares for each in recipe.models):
            tints = Tints(pieces, grid, len(golden), manifest.tint)
        if golden and manifest.geometry and not manifest.rendered and rays.sensed is None:
            off = Raised(pieces, golden, manifest.tolerance_mm)
        return cls(pieces, tints, off)

    def forget(self) -> None:
        """What was said of the last part."""
        for each in (self.tints, self.raised):
            if each is not None:
                each.forget()

    def add(
        self, planned: int, view: View, registered: Registered, reference_from_part: Transform
    ) -> None:
        """One more view of it."""
        if self.tints is None and self.raised is None:
            return
        pixels = self.pieces.pixels(view, reference_from_part)
        if self.raised is not None:
            self.raised.add(planned, registered, pixels)
        if self.tints is not None:
            self.tints.add(planned, view, registered, pixels)

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume; after the last one."""
        for each in (self.tints, self.raised):
            if each is not None:
                each.fuse(volume, reference_from_part, crew)


def warm_up() -> None:
    """Compile (or load) the kernels of this room."""
    tint.warm_up()
    raised.warm_up()
