"""A library that is written here is one for the tools that read libraries."""

from __future__ import annotations

import struct

import pytest

from voxgate.runtime.common.elf import PAGE_BYTES, bare_library, processor_of

PROGRAM_HEADERS_AT, PROGRAM_HEADER_BYTES = 64, 56
EXECUTABLE = 1


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_a_library_is_taken_for_another_processors(processor: str) -> None:
    assert processor_of(bare_library("libnone.so.1", processor)) == processor


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_a_library_asks_for_memory_that_can_be_executed(processor: str) -> None:
    content = bare_library("libnone.so.1", processor)
    (count,) = struct.unpack_from("<H", content, 56)
    flags = [
        struct.unpack_from("<I", content, PROGRAM_HEADERS_AT + i * PROGRAM_HEADER_BYTES + 4)[0]
        for i in range(count)
    ]
    assert count == 3
    assert not any(flag & EXECUTABLE for flag in flags)


def test_a_kernel_with_large_pages_refuses_the_library() -> None:
    (align,) = struct.unpack_from("<Q", bare_library("libnone.so.1", "aarch64"), 64 + 48)
    assert align % PAGE_BYTES == 0


def test_a_processor_without_a_layout_gets_another_ones_library() -> None:
    with pytest.raises(ValueError, match="riscv64"):
        bare_library("libnone.so.1", "riscv64")
