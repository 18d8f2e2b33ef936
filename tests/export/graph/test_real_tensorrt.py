"""What TensorRT says that a plan takes is held against what a box has, with what fits."""

from __future__ import annotations

import re

import pytest

from voxgate.export.graph.memory import MB
from voxgate.export.graph.real_tensorrt import check_plan
from voxgate.runtime.engines.builder import Built
from voxgate.runtime.errors import EngineError


def built(weights_mb: int, scratch_mb: int) -> Built:
    return Built(bytes(weights_mb * MB), b"", True, scratch_bytes=scratch_mb * MB)


def test_a_plan_that_fits_to_the_byte_is_refused() -> None:
    check_plan(built(10, 90), "m3dm", 100)


def test_a_plan_that_takes_more_is_let_through() -> None:
    words = r"^m3dm: TensorRT takes 101 MB of a GPU to run it, 10 of them weights, at most 100 are"
    with pytest.raises(EngineError, match=words):
        check_plan(built(10, 91), "m3dm", 100)


@pytest.mark.parametrize("most_mb", [20, 40, 99])
def test_the_width_that_is_named_takes_more_too(most_mb: int) -> None:
    """Weights stay, the rest grows with the square of the width."""
    with pytest.raises(EngineError) as refused:
        check_plan(built(12, 360), "m3dm", most_mb)
    (share,) = re.findall(r"about (\d+) % of the picture's width fits", str(refused.value))
    check_plan(built(12, int(360 * (int(share) / 100) ** 2)), "m3dm", most_mb)
    assert 12 + 360 * ((int(share) + 1) / 100) ** 2 > most_mb


def test_weights_that_are_too_large_are_promised_to_fit() -> None:
    with pytest.raises(EngineError, match=r"about 0 % of the picture's width fits; .* backbone"):
        check_plan(built(12, 1), "m3dm", 11)
