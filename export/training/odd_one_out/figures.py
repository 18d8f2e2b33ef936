"""How well it tells: object-wise AUC and accuracy at IoU > 0.5, as the paper has them (4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from voxgate.export.evaluation.metrics.objects import (
    SceneObjects,
    object_accuracy,
    object_auroc,
)
from voxgate.export.methods.odd_one_out.network import OddOneOut
from voxgate.export.training.odd_one_out.scenes import Shown
from voxgate.runtime.trays.network.boxes import boxes_of

Boxes = npt.NDArray[np.float64]


def figures(
    network: OddOneOut, scenes: Sequence[Shown], views: int, device: torch.device
) -> dict[str, float]:
    """Of scenes that were not learnt from, by so many views each, from all over."""
    network.eval()
    with torch.no_grad():
        found = [told(network, scene, views, device) for scene in scenes]
    network.train()
    said = {"accuracy": object_accuracy(found)}
    if len({bool(odd) for scene in found for odd in scene.odd}) > 1:
        said["AUC"] = object_auroc(found)
    return said


def told(network: OddOneOut, scene: Shown, views: int, device: torch.device) -> SceneObjects:
    """One scene, by the boxes that its own density gives."""
    numbers = np.linspace(0, len(scene.pictures) - 1, min(views, len(scene.pictures))).round()
    seen = scene.views([int(each) for each in numbers], device)
    volume = network.volume(seen.pictures, seen.picture_from_voxel)
    boxes = boxes_of(network.fields.density(volume)[0, 0].cpu().numpy())
    score = np.zeros(0)
    if len(boxes):
        logits = network.logits(volume, torch.from_numpy(boxes).to(device))
        score = torch.sigmoid(logits).double().cpu().numpy()
    truth = scene.boxes.double().numpy()
    odd = scene.odd.numpy().astype(np.bool_)
    return SceneObjects(_centred(truth), odd, _centred(boxes.astype(np.float64)), score)


def _centred(corners: Boxes) -> Boxes:
    """(n, 6) centre and size."""
    low, high = corners[:, :3], corners[:, 3:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)
