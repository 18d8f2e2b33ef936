"""Memory of one step is used again by the next.

glibc gives a large block back to the system when it is freed and asks for it again: each page is
wiped anew, which took two fifths of the depth autoencoder's time on a CPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# names and values of malloc.h; mallopt(3) tells the defaults
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEEP_BYTES, TRIM_BYTES = 2**31 - 1, 128 * 1024
NO_BLOCKS, BLOCKS = 0, 65536


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """For as long as it lasts; then what is free goes back. Without glibc nothing changes."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(M_MMAP_MAX, NO_BLOCKS)
    library.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
    try:
        yield
    finally:
        library.mallopt(M_MMAP_MAX, BLOCKS)
        library.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        library.malloc_trim(0)
