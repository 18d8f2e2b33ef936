"""What a unit of systemd/ says."""

from __future__ import annotations

import re
from pathlib import Path


def values(unit: Path, key: str) -> list[str]:
    """Every word after `key=`."""
    text = unit.read_text(encoding="utf-8")
    return [word for value in re.findall(rf"^{key}=(.*)$", text, re.M) for word in value.split()]
