"""The tests look at what is their own, and there they see it."""

from __future__ import annotations

import mmap
import os
import tempfile

from tests.kits.own_traces import named_memory


def test_memory_with_a_name_is_seen_until_its_name_is_gone() -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm", delete=False) as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE):
            assert named_memory(os.getpid()) == {file.name}
            os.unlink(file.name)  # noqa: PTH108
            assert named_memory(os.getpid()) == set()
