"""All features, each with its address.

The XML that GenICam software reads, the C table that guards the registers and the Python that
looks into them are all made from these rows (`python -m voxgate.sim.gentl.generate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voxgate.sim.gentl.features.acquisition import ACQUISITION
from voxgate.sim.gentl.features.chunks_and_events import CHUNKS_AND_EVENTS
from voxgate.sim.gentl.features.device import DEVICE
from voxgate.sim.gentl.features.feature import Feature
from voxgate.sim.gentl.features.image import IMAGE
from voxgate.sim.gentl.features.scan3d import SCAN3D
from voxgate.sim.gentl.features.user_sets import USER_SETS

FIRST_ADDRESS = 0x100
REGISTER_BYTES = 0x1000


def _placed(rows: Sequence[Feature]) -> tuple[Feature, ...]:
    placed, address = [], FIRST_ADDRESS
    for row in rows:
        placed.append(replace(row, address=address))
        address += row.length * row.count
    return tuple(placed)


# in this order: it decides the addresses, which are the producer's too
FEATURES = _placed(DEVICE + IMAGE + ACQUISITION + CHUNKS_AND_EVENTS + SCAN3D + USER_SETS)
BY_NAME = {feature.name: feature for feature in FEATURES}

HIDDEN = ("Has3d", "HasRange", "HasDisparity", "OffsetXMax", "OffsetYMax")
"""Registers that only help others: not in a category."""
