"""Odd-One-Out's network does something else than the paper says, or its graphs than the network.

What is expected is computed here again, voxel by voxel and by the definitions.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
import pytest
import torch

from voxgate.export.methods.odd_one_out.constants import TOY, Constants
from voxgate.export.methods.odd_one_out.fields import DENSE_FROM
from voxgate.export.methods.odd_one_out.lifting import Lifting
from voxgate.export.methods.odd_one_out.matching import Matching, SparseAttention, correspondences
from voxgate.export.methods.odd_one_out.network import AfterBoxes, BeforeBoxes, OddOneOut
from voxgate.export.methods.odd_one_out.regions import Regions
from voxgate.runtime.errors import EngineError

Array = npt.NDArray[np.float64]
SMALL = (8, 8, 8)


def looking_down(shift: float, height: float = 20.0) -> Array:
    """(3, 4) picture_from_voxel of a camera above the volume, `shift` voxels to the side."""
    focal = 2.0
    return np.array(
        [
            [focal, 0, -0.5, -focal * (4 + shift) + 0.5 * height],
            [0, focal, -0.5, -focal * 4 + 0.5 * height],
            [0, 0, -1, height],
        ]
    )


def bilinear(plane: Array, u: float, v: float) -> Array:
    """(d,) of a map (d, h, w) at a place of the picture, whose width and height are 1."""
    _, h, w = plane.shape
    x, y = np.clip(u * w - 0.5, 0, w - 1), np.clip(v * h - 0.5, 0, h - 1)
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
    a, b = x - x0, y - y0
    top = plane[:, y0, x0] * (1 - a) + plane[:, y0, x1] * a
    bottom = plane[:, y1, x0] * (1 - a) + plane[:, y1, x1] * a
    found: Array = top * (1 - b) + bottom * b
    return found


def test_a_voxel_gets_what_other_pixels_show() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, 2, 6, 5))
    behind = looking_down(0.0, height=-5.0)
    cameras = np.stack([looking_down(0.0), looking_down(3.0), behind])
    given = [torch.from_numpy(each.astype(np.float32)) for each in (features, cameras)]
    found = Lifting(SMALL)(*given).numpy()[0]
    counts = set()
    for x, y, z in np.ndindex(SMALL):
        total, count = np.zeros(2), 0
        for plane, camera in zip(features, cameras, strict=True):
            u, v, depth = camera @ [x + 0.5, y + 0.5, z + 0.5, 1]
            if depth > 0 and 0 <= u / depth <= 1 and 0 <= v / depth <= 1:
                total, count = total + bilinear(plane, u / depth, v / depth), count + 1
        np.testing.assert_allclose(found[:, x, y, z], total / max(count, 1), atol=1e-5)
        counts.add(count)
    assert counts == {0, 1, 2}


def test_a_region_is_cut_out_elsewhere() -> None:
    rng = np.random.default_rng(1)
    volume = rng.normal(size=(1, 3, 8, 16, 8))
    boxes = np.array([[1.0, 2.5, 0.0, 6.0, 14.0, 8.0], [3.2, 4.0, 2.0, 4.0, 9.0, 3.0]])
    given = [torch.from_numpy(each.astype(np.float32)) for each in (volume, boxes)]
    found = Regions(4)(*given).numpy()

    def at(point: Array) -> Array:
        """Trilinear, the border's value beyond the outermost centres."""
        index = np.clip(point - 0.5, 0, np.array(volume.shape[2:]) - 1)
        low = np.floor(index).astype(int)
        total = np.zeros(3)
        for corner in np.ndindex(2, 2, 2):
            cell = low + corner
            weight = np.prod(np.where(corner, index - low, 1 - (index - low)))
            if weight > 0:
                total += weight * volume[0, :, cell[0], cell[1], cell[2]]
        return total

    for n, box in enumerate(boxes):
        size = (box[3:] - box[:3]) / 4
        for cell in np.ndindex(4, 4, 4):
            inside = [
                box[:3] + size * (cell + (np.array(s) + 0.5) / 2) for s in np.ndindex(2, 2, 2)
            ]
            want = np.mean([at(point) for point in inside], axis=0)
            np.testing.assert_allclose(found[n, :, cell[0], cell[1], cell[2]], want, atol=1e-5)


def test_a_voxel_is_compared_with_others_than_those_that_correspond() -> None:
    """Equations 5 and 7 as they are printed, one voxel after the other."""
    torch.manual_seed(2)
    n, v, width, k = 4, 6, 8, 2
    attention = SparseAttention(width, heads=2).eval()
    volumes, features = torch.randn(n, v, width), torch.randn(n, v, 5)
    absent = torch.tensor([0.0, 0, 0, 1])
    chosen = [correspondences(features, number, k) for number in range(n)]
    with torch.no_grad():
        found = attention(volumes, chosen, absent).numpy()
    q, key, value = (
        volumes.numpy() @ layer.weight.detach().numpy().T
        for layer in (attention.query, attention.key, attention.value)
    )
    weight, bias = (each.detach().numpy() for each in attention.out.parameters())
    like = features.numpy()
    for a in range(3):
        for i in range(v):
            pairs = [
                (b, j) for b in range(3) if b != a for j in np.argsort(-like[b] @ like[a, i])[:k]
            ]
            heads = []
            for one in (slice(0, 4), slice(4, 8)):
                power = np.array([q[a, i, one] @ key[b, j, one] / 2 for b, j in pairs])
                share = np.exp(power) / np.exp(power).sum()
                heads.append(
                    sum(s * value[b, j, one] for s, (b, j) in zip(share, pairs, strict=True))
                )
            np.testing.assert_allclose(
                found[a, i], weight @ np.concatenate(heads) + bias, atol=1e-5
            )


def regions(constants: Constants, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    side = (constants.region,) * 3
    return torch.randn(count, constants.width, *side), torch.randn(count, constants.field, *side)


def test_what_is_not_there_changes_what_is() -> None:
    matching = Matching(TOY).eval()
    cut, seen = regions(TOY, 5)
    absent = torch.tensor([0.0, 0, 0, 1, 1])
    with torch.no_grad():
        padded = matching(cut, seen, absent)[:3]
        alone = matching(cut[:3], seen[:3], absent[:3])
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-5)


def test_an_instances_score_depends_on_its_number() -> None:
    matching = Matching(TOY).eval()
    cut, seen = regions(TOY, 4)
    there, order = torch.zeros(4), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        found = matching(cut, seen, there)
        other = matching(cut[order], seen[order], there)
    torch.testing.assert_close(found[order], other, atol=1e-5, rtol=1e-5)


def test_the_view_that_comes_first_decides() -> None:
    torch.manual_seed(4)
    network = BeforeBoxes(OddOneOut(TOY).eval())
    pictures = torch.randint(0, 255, (3, 3, TOY.side_px, TOY.side_px), dtype=torch.uint8)
    cameras = torch.rand(1, 3, 3, 4)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        found = network(pictures, cameras)
        other = network(pictures[order], cameras[:, order])
    torch.testing.assert_close(found, other, atol=1e-5, rtol=1e-5)
    assert found.shape == (1, 1, 1 + TOY.width, prod(TOY.voxels))


def test_a_volume_is_full_before_anything_was_learnt() -> None:
    """Rays would end at its border, and nothing behind be learnt."""
    torch.manual_seed(5)
    network = OddOneOut(TOY).eval()
    with torch.no_grad():
        density = network.fields.density(torch.randn(1, TOY.width, 4, 4, 4) * 0.1)
    assert float(density.max()) < DENSE_FROM


def test_a_box_that_is_none_is_called_odd() -> None:
    torch.manual_seed(6)
    network = AfterBoxes(OddOneOut(TOY).eval())
    boxes = torch.zeros(1, 1, TOY.most, 6)
    boxes[0, 0, :3] = torch.tensor([[1.0, 1, 1, 9, 9, 5], [9, 1, 1, 19, 9, 5], [1, 9, 1, 9, 19, 5]])
    with torch.no_grad():
        odd = network(torch.randn(1, 1, 1 + TOY.width, prod(TOY.voxels)), boxes)[0, 0, 0]
    assert (odd[:3] > 0).all()
    assert (odd[3:] == 0).all()


@pytest.mark.parametrize("said", [{"voxels": [10, 8, 8]}, {"width": 12}, {"depth": 3}])
def test_a_checkpoint_of_impossible_constants_is_taken(said: dict[str, object]) -> None:
    with pytest.raises(EngineError, match="constants cannot be used"):
        Constants.from_json({**TOY.to_json(), **said})
