"""The tests look at what is their own, and there they see it."""

from __future__ import annotations

import os
from multiprocessing.shared_memory import SharedMemory

from tests.kits.own_traces import named_memory


def test_memory_with_a_name_is_seen_until_its_name_is_gone() -> None:
    memory = SharedMemory(create=True, size=4096)
    try:
        assert named_memory(os.getpid()) == {f"/dev/shm/{memory.name}"}
    finally:
        memory.unlink()
    assert named_memory(os.getpid()) == set()
    memory.close()
