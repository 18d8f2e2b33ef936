"""What is made small: views rendered otherwise than seen, instances told wrong (equations 3, 4, 8).

All weights between the parts are 1, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, interpolate

from voxgate.export.methods.odd_one_out.network import OddOneOut
from voxgate.export.methods.odd_one_out.picture_features import GREY_LEVELS
from voxgate.export.training.odd_one_out.rendering import SAMPLES, rays_of, render
from voxgate.export.training.odd_one_out.scenes import Shown
from voxgate.export.training.odd_one_out.teacher import Teacher
from voxgate.runtime.trays.network.boxes import boxes_of
from voxgate.runtime.trays.network.judge import SAME_BOX, overlaps

MASK_WEIGHT = FEATURE_WEIGHT = RENDER_WEIGHT = 1.0  # lambda_sigma, lambda_f, lambda_p

Parts = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Rendering:
    """side_px of the rendered pictures, feature_px of the rendered features, samples on a ray."""

    side_px: int = 256
    feature_px: int = 32
    samples: int = SAMPLES


TOY_RENDERING = Rendering(side_px=24, feature_px=8, samples=24)
"""For tests, and for a processor without a GPU."""


def reconstruction(
    network: OddOneOut,
    volume: torch.Tensor,
    other: Shown,
    teacher: Teacher | None,
    how: Rendering,
) -> Parts:
    """Of the views that did not build the volume: mean squared errors of colour and mask, and the
    cosine distance of features, whose density is not moved by it."""
    density, colour = network.fields.density(volume), network.fields.colour(volume)
    targets = _colours(other, how.side_px)
    wanted = None if teacher is None else teacher.features(other.pictures)
    parts: Parts = {"colour": volume.new_zeros(()), "mask": volume.new_zeros(())}
    if wanted is not None:
        parts["feature"] = volume.new_zeros(())
        field = network.fields.feature(volume)
    voxels, count = network.constants.voxels, len(other.pictures)
    for view, camera in enumerate(other.picture_from_voxel):
        found, met = render(density, colour, rays_of(camera, how.side_px, voxels), how.samples)
        seen, mask = targets[view]
        # nothing is known of what lies behind the volume: colour is asked for where objects are
        apart = (found - seen).square().sum(dim=1) * mask
        parts["colour"] = parts["colour"] + apart.mean() / count
        parts["mask"] = parts["mask"] + (met - mask).square().mean() / count
        if wanted is not None:
            rays = rays_of(camera, how.feature_px, voxels)
            rendered, _ = render(density.detach(), field, rays, how.samples)
            like = cosine_similarity(rendered, wanted[view].flatten(1).T, dim=1)
            parts["feature"] = parts["feature"] + (1 - like).mean() / count
    return parts


def rendering_loss(parts: Parts) -> torch.Tensor:
    """Equation 4."""
    total = parts["colour"] + MASK_WEIGHT * parts["mask"]
    return total + FEATURE_WEIGHT * parts["feature"] if "feature" in parts else total


def classification(network: OddOneOut, volume: torch.Tensor, scene: Shown) -> torch.Tensor:
    """Equation 8, as a mean. Each object by the box that its density gives; where that is none yet
    (intersection over union below 0.5), by its own."""
    logits = network.logits(volume, found_boxes(network, volume, scene))
    return binary_cross_entropy_with_logits(logits, scene.odd)


def found_boxes(network: OddOneOut, volume: torch.Tensor, scene: Shown) -> torch.Tensor:
    """(n, 6) one for each object."""
    with torch.no_grad():
        density = network.fields.density(volume)[0, 0].cpu().numpy()
    found, own = boxes_of(density), scene.boxes.cpu()
    if not len(found):
        return scene.boxes
    likeness = overlaps(own.double().numpy(), found.astype("float64"))
    best = torch.from_numpy(found[likeness.argmax(axis=1)])
    same = torch.from_numpy(likeness.max(axis=1) >= SAME_BOX)[:, None]
    return torch.where(same, best, own).to(scene.boxes.device)


def _colours(scene: Shown, side: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Of each view (r, 3) colours 0..1 and (r,) mask, at the rendered size."""
    size = (side, side)
    colours = interpolate(scene.pictures.float() / GREY_LEVELS, size=size, mode="area")
    masks = interpolate(scene.masks[:, None], size=size, mode="area")
    return [(c.flatten(1).T, m.flatten()) for c, m in zip(colours, masks, strict=True)]
