"""What comes behind the image, and what is told beside it."""

from __future__ import annotations

from voxgate.sim.gentl.features.codes import CHUNKS, EVENTS
from voxgate.sim.gentl.features.feature import CHOICES, Entry, Feature, by_choice
from voxgate.sim.gentl.features.rows import boolean, choice, words

_CHUNK = "ChunkDataControl"
_EVENT = "EventControl"

CHUNKS_AND_EVENTS: tuple[Feature, ...] = (
    boolean("ChunkModeActive", _CHUNK, "Chunks behind the image", locked=True),
    choice(
        "ChunkSelector",
        _CHUNK,
        "Which chunk",
        tuple(Entry(name, value) for name, value in CHUNKS.items()),
    ),
    boolean(
        "ChunkEnable",
        _CHUNK,
        "Deliver it",
        selector="ChunkSelector",
        values=by_choice({1: 1, 2: 1, 3: 1}),
        locked=True,
    ),
    choice(
        "EventSelector",
        _EVENT,
        "Which event",
        tuple(Entry(name, value) for name, value in EVENTS.items()),
    ),
    choice(
        "EventNotification",
        _EVENT,
        "Tell it",
        words(["Off", "On"]),
        selector="EventSelector",
        values=(0,) * CHOICES,
        default=0,
    ),
)
