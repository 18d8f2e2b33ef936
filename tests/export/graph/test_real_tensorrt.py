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


@pytest.mark.parametrize("in_pieces", [False, True])
@pytest.mark.parametrize("most_mb", [880, 1100, 2400])
def test_the_width_that_is_named_takes_more_too(most_mb: int, in_pieces: bool) -> None:
    """Weights and pieces of attention stay, maps grow with the square of the width."""
    stays = 12 + 32 + (3 * 256 if in_pieces else 0)
    maps = 2500 - stays
    with pytest.raises(EngineError) as refused:
        check_plan(built(12, 2500 - 12), "m3dm", most_mb, in_pieces)
    (share,) = re.findall(r"(\d+) % of the picture's width fits", str(refused.value))
    assert stays + maps * (int(share) / 100) ** 2 <= most_mb
    assert stays + maps * ((int(share) + 1) / 100) ** 2 > most_mb


def test_a_width_is_named_where_none_fits() -> None:
    with pytest.raises(EngineError, match=r"at most 11 are allowed: choose a smaller .* backbone"):
        check_plan(built(12, 1), "m3dm", 11)
