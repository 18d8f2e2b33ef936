"""Sets of values that outlive the power, and what the transport needs."""

from __future__ import annotations

from voxgate.sim.gentl.features.feature import Feature
from voxgate.sim.gentl.features.rows import choice, command, integer, words

_USER = "UserSetControl"
_TRANSPORT = "TransportLayerControl"

USER_SETS: tuple[Feature, ...] = (
    choice("UserSetSelector", _USER, "Which set", words(["Default", "UserSet1"])),
    command("UserSetLoad", _USER, "Take its values", locked=True),
    command("UserSetSave", _USER, "Keep the values in it"),
    choice("UserSetDefault", _USER, "The set at power-on", words(["Default", "UserSet1"])),
    integer("PayloadSize", _TRANSPORT, "Bytes of one buffer"),
    integer("TLParamsLocked", _TRANSPORT, "1 while streaming", "RW", low=0, high=1),
)
