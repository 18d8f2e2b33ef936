"""What a calibration may say: whatever the box would not act on is refused by name, not ignored."""

from __future__ import annotations

from voxgate.runtime.common.strict_json import Fields, quoted
from voxgate.runtime.geometry.mounting import CARRIED, KEYS, STANDING

SCHEMA_VERSION = 1
UNITS = {"length": "mm", "angle": "rad", "time": "s"}
ACTED_ON = frozenset(
    (
        *("part", "schema_version", "digest", "units", "timing", "views", "lens_model"),
        *("image_size", "K", "distortion", "mounting", *KEYS.values(), CARRIED, STANDING),
        *("sensor", "T_cam_sensor", "serial_number", "region"),
    )
)
TOLD = frozenset(
    (
        *("title", "conventions", "uncertainty", "steps"),
        *("T_base_board", "T_flange_board"),  # where the board was: nothing of the part's
    )
)
"""For people, and for the steps of `voxgate calib`; nothing is placed by it."""
NOT_SERVED = {
    "cameras": "one calibration for each camera: `cameras:` in cell.yaml names the file of each",
}


def check_served(fields: Fields) -> None:
    """Raises ValueError with the key that says something else than what is served."""
    _check_version(fields)
    for key in fields.values:
        if fields.has(key) and key not in ACTED_ON | TOLD:
            raise ValueError(NOT_SERVED.get(key, f"{quoted(key)} is no key of a calibration"))
    units = fields.object_at("units")
    for quantity, unit in UNITS.items():
        if (quantity != "angle" or units.has(quantity)) and units.text(quantity) != unit:
            raise ValueError(f'units.{quantity} must be "{unit}", got "{units.text(quantity)}"')


def is_served(fields: Fields) -> bool:
    """Whether the box acts on all that these say."""
    try:
        check_served(fields)
    except ValueError:
        return False
    return True


def _check_version(fields: Fields) -> None:
    if not fields.has("schema_version"):
        return
    version = fields.integer("schema_version", 0, 1 << 31)
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"schema_version {version} is unknown, this VoxGate reads {SCHEMA_VERSION}"
        )
