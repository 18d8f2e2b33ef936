"""The inner loop of Point-MAE's grouping: one pass over the cloud for each centre does it all."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

NEAR = 3  # centres that a point's features come from


@njit(nogil=True, cache=True)
def group_points(points, centre, member, near, distance2):
    """Farthest point sampling, the nearest points of each centre, the nearest centres of each.

    points (n, 3) float64. Filled: centre (g,), member (g, m), near (n, 3) numbers, and distance2
    (n, 3), which comes filled with infinity, the squared distances to `near`, the nearest first.
    Of equals the first counts. A group of fewer than m points is filled up with its centre.
    """
    groups, size = member.shape
    heap = np.empty(size, np.float64)
    current = 0
    for g in range(groups):
        centre[g] = current
        member[g, :] = current
        count = 0
        farthest, following = -1.0, 0
        cx, cy, cz = points[current, 0], points[current, 1], points[current, 2]
        for i in range(len(points)):
            dx, dy, dz = points[i, 0] - cx, points[i, 1] - cy, points[i, 2] - cz
            d2 = dx * dx + dy * dy + dz * dz
            if count < size:
                _push(heap, member[g], count, d2, i)
                count += 1
            elif d2 < heap[0]:
                _replace(heap, member[g], count, d2, i)
            if d2 < distance2[i, 2]:
                _insert(distance2[i], near[i], d2, g)
            if distance2[i, 0] > farthest:
                farthest, following = distance2[i, 0], i
        current = following


@njit(nogil=True, cache=True)
def _insert(distance2, near, d2, g):
    """Among the three nearest, behind its equals."""
    at = 2
    while at > 0 and d2 < distance2[at - 1]:
        distance2[at], near[at] = distance2[at - 1], near[at - 1]
        at -= 1
    distance2[at], near[at] = d2, g


@njit(nogil=True, cache=True)
def _is_farther(heap, member, a, b):
    """Whether entry a goes before entry b: farther, or as far and a later point."""
    return heap[a] > heap[b] or (heap[a] == heap[b] and member[a] > member[b])


@njit(nogil=True, cache=True)
def _push(heap, member, count, d2, i):
    at = count
    heap[at], member[at] = d2, i
    while at > 0:
        above = (at - 1) // 2
        if not _is_farther(heap, member, at, above):
            break
        _swap(heap, member, at, above)
        at = above


@njit(nogil=True, cache=True)
def _replace(heap, member, count, d2, i):
    """The farthest goes, this one comes."""
    heap[0], member[0] = d2, i
    at = 0
    while True:
        largest = at
        for below in (2 * at + 1, 2 * at + 2):
            if below < count and _is_farther(heap, member, below, largest):
                largest = below
        if largest == at:
            return
        _swap(heap, member, at, largest)
        at = largest


@njit(nogil=True, cache=True)
def _swap(heap, member, a, b):
    heap[a], heap[b] = heap[b], heap[a]
    member[a], member[b] = member[b], member[a]
