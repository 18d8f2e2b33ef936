"""Whether a model takes and gives pictures of the size that the camera's are inspected at."""

from __future__ import annotations

from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.manifest import ERRORS, Manifest

PICTURES = ("image", "reference", "gloss", "depth_mm", "score")
"""Tensors of the size of the pictures that are inspected."""


def check_size(label: str, manifest: Manifest, size: tuple[int, int]) -> None:
    """size: (height, width). Raises RecipeError, with the model's label, for another one."""
    before = manifest.detector == "set" and all(t.name != ERRORS for t in manifest.inputs)
    # what a view shows to a set, or two of them to each other, is no map
    maps = manifest.inputs if before else (*manifest.inputs, manifest.output)
    for tensor in maps:
        if tensor.name in PICTURES and tensor.shape[2:] != size:
            raise RecipeError(
                f"recipe {label}: {tensor} does not fit the camera's pictures, inspected at "
                f"{size}: export it again for this camera"
            )
