"""A rotation that is written another way is another place of the camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from voxgate.runtime.rotations import interpolated, matrices, quaternions, turned_by, vectors

Array = npt.NDArray[np.float64]
part = st.floats(-1, 1)
HALF_TURNS = np.pi * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0, 0.8], [-0.6, 0.8, 0]])
SMALL = np.array([[0, 0, 0], [1e-12, 0, 0], [0, 1e-8, -1e-8], [1e-5, 1e-5, 0]])


@st.composite
def rotation_vectors(draw: st.DrawFn) -> Array:
    """Ten of them, below half a turn."""
    axes = np.array([[draw(part) for _ in range(3)] for _ in range(10)])
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    assume((lengths > 1e-3).all())
    angles = np.array([[draw(st.floats(0, 3.1))] for _ in range(10)])
    return np.asarray(axes / lengths * angles)


@given(rotation_vectors())
def test_vectors_and_matrices_are_those_of_scipy(drawn: Array) -> None:
    turns = Rotation.from_rotvec(drawn).as_matrix()
    assert turned_by(drawn) == pytest.approx(turns, abs=1e-14)
    assert vectors(turns) == pytest.approx(drawn, abs=1e-12)
    assert matrices(quaternions(turns)) == pytest.approx(turns, abs=1e-14)
    expected = np.roll(Rotation.from_matrix(turns).as_quat(canonical=True), 1, axis=1)
    assert quaternions(turns) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("drawn", [HALF_TURNS, SMALL], ids=["half a turn", "next to none"])
def test_half_a_turn_or_none_loses_its_axis(drawn: Array) -> None:
    turns = Rotation.from_rotvec(drawn).as_matrix()
    assert turned_by(vectors(turns)) == pytest.approx(turns, abs=1e-12)
    assert np.linalg.norm(vectors(turns), axis=1) == pytest.approx(
        np.linalg.norm(drawn, axis=1), rel=1e-9, abs=1e-14
    )


@given(rotation_vectors(), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_between_two_samples_the_turn_is_not_even(drawn: Array, shares: list[float]) -> None:
    times = np.cumsum(np.arange(1.0, 11.0))
    turns = Rotation.from_rotvec(drawn)
    steps = (turns[:-1].inv() * turns[1:]).magnitude()
    assume(steps.max() < 3.1)  # half a turn between two samples has no way of its own
    at = times[0] + np.array([0.0, *shares, 1.0]) * (times[-1] - times[0])
    expected = Slerp(times, turns)(at).as_matrix()
    assert interpolated(at, times, turns.as_matrix()) == pytest.approx(expected, abs=1e-12)
