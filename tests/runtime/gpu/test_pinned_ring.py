"""Uploads arrive as they were when they were asked for, however late the GPU reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits import gpu_kit
from tests.kits.gpu_kit import Box
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import open_device
from voxgate.runtime.gpu.pinned_ring import PinnedRing, aligned

RING = 4096


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield gpu_kit.install(monkeypatch)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, RING), min_size=1, max_size=20),
    marks=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_no_upload_is_overwritten_before_it_was_read(
    box: Box, sizes: list[int], marks: int, seed: int
) -> None:
    """The GPU of numpy reads nothing before somebody waits for it."""
    with closing(open_device(library="pycuda")) as device:
        ring = PinnedRing(device, RING)
        random = np.random.default_rng(seed)
        sent, back = [], []
        for number, size in enumerate(sizes):
            content = random.integers(0, 256, size, dtype=np.uint8)
            address = device.allocate(max(1, size))
            ring.upload(address, content)
            if number % marks == 0:
                ring.mark()
            sent.append(content.copy())
            content[:] = 0  # the caller uses its array again at once
            target = device.pinned(max(1, size))
            if size:
                device.download(target.array, address)
            back.append(target)
        device.synchronize()
        for content, target in zip(sent, back, strict=True):
            np.testing.assert_array_equal(target.array[: content.size], content)
        ring.forget()


def test_nobody_waits_while_there_is_room(box: Box) -> None:
    with closing(open_device(library="pycuda")) as device:
        ring, address = PinnedRing(device, RING), device.allocate(RING)
        for _ in range(RING // 256):
            ring.upload(address, np.ones(200, np.uint8))
            ring.mark()
        assert ring.waits == 0
        ring.upload(address, np.ones(200, np.uint8))
        assert ring.waits == 1  # the first place, which nobody has read yet
        ring.forget()


def test_what_never_fits_is_refused(box: Box) -> None:
    with closing(open_device(library="pycuda")) as device:
        ring = PinnedRing(device, RING)
        with pytest.raises(EngineError, match="do not fit"):
            ring.upload(device.allocate(2 * RING), np.ones(RING + 1, np.uint8))


def test_every_place_begins_at_a_multiple_of_256() -> None:
    assert [aligned(n) for n in (0, 1, 256, 257)] == [0, 256, 256, 512]
