"""How many scores lie where: 65536 bins over the bits of a float32, one pass, no sorting."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

BINS = 1 << 16
SIGN = np.uint32(0x80000000)


@njit(cache=True, nogil=True)
def count_sound(bits, ids, counts, sizes):
    """Add to counts (BINS,) int64 the scores whose id is 0; bits (n,) uint32 of float32; add to
    sizes (BINS,) int64 how often each id >= 0 occurs.

    The upper 16 bits, with the sign turned so that larger floats have larger keys.
    """
    for n in range(bits.size):
        sizes[ids[n]] += 1
        if ids[n] == 0:
            key = bits[n]
            key = ~key if key & SIGN else key | SIGN
            counts[key >> np.uint32(16)] += 1


def lower_edge(key: int) -> float:
    """The smallest float32 in bin `key`."""
    # a negative number is larger in its bin's key the smaller its own bits are
    bits = (key << 16) & 0x7FFFFFFF if key >= BINS // 2 else ~(key << 16) & 0xFFFFFFFF
    return float(np.array([bits], np.uint32).view(np.float32)[0])
