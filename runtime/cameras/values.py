"""One GenICam feature and its value: what settings are made of."""

from __future__ import annotations

from dataclasses import dataclass

NodeValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class NodeSetting:
    """One GenICam feature and the value it must have; selectors come before what they select."""

    name: str
    value: NodeValue
