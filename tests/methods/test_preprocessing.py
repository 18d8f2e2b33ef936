"""Preprocessing in the graph is the libraries' own, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from voxgate.export.features.preprocessing import DepthPicture, Interpolation, Picture, ToCamera

SIDES = st.integers(5, 90)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(SIDES, SIDES),
    model=st.tuples(SIDES, SIDES),
    antialias=st.booleans(),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
)
def test_resizing_is_torchvisions(
    size: tuple[int, int], model: tuple[int, int], antialias: bool, interpolation: Interpolation
) -> None:
    image = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 1, *size), np.uint8))
    found = Picture(size, model, antialias=antialias, interpolation=interpolation)(image)
    resize = v2.Resize(list(model), v2.InterpolationMode(interpolation), antialias=antialias)
    want = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(
        resize((image.float() / 255).repeat(1, 3, 1, 1))
    )
    assert (found - want).abs().max() < 1e-4  # of values of some 2; torch rounds its own weights


def test_padding_comes_back_off() -> None:
    size, side = (30, 40), (20, 20)
    image = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 1, *size), np.uint8))
    padded = Picture(size, side, mean=None, fit="pad", channels=1)(image)
    square = torch.from_numpy(np.pad(image[0, 0].numpy(), ((5, 5), (0, 0)), "edge")).float() / 255
    square = square[None, None]
    assert (padded - v2.Resize([20, 20], antialias=True)(square)).abs().max() < 1e-5
    back = ToCamera(side, size, "pad")(padded)
    assert back.shape == (1, 1, 30, 40)
    assert (back - image.float() / 255).abs().mean() < 0.3


def test_a_depth_pictures_scale_does_not_depend_on_the_picture() -> None:
    picture = DepthPicture((4, 4), (4, 4), 100.0, 300.0, mean=None, channels=1)
    near = torch.full((1, 1, 4, 4), 200.0)
    mixed = near.clone()
    mixed[0, 0, 3, 3] = 290.0
    mixed[0, 0, 3, 2] = 0.0
    assert torch.equal(picture(near)[..., :3, :], picture(mixed)[..., :3, :])
    assert picture(mixed)[0, 0, 3, 2] == 0


def test_a_range_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="near < far"):
        DepthPicture((4, 4), (4, 4), 300.0, 300.0)
