"""A program beside the box: what of the cell's YAML its user can load, and its usual key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.runtime.config.sections import CellConfig

UNUSED = ("recipes", "security")  # their secrets are not for this user to see


def load_for_peer(config: Path) -> CellConfig:
    """The cell without looking at the box's own secrets. Raises ConfigError."""
    from voxgate.runtime.config.cell import load_cell

    return load_cell(config, without=UNUSED).config


def usual_key(cell: CellConfig, who: str) -> Path | None:
    """Of this peer of the cell (`page`, `mqtt`, `opcua`), where it has its usual place."""
    if cell.security is None:
        return None
    usual = cell.security.secret_key.parent / who / f"{who}.key_secret"
    return usual if usual.is_file() else None
