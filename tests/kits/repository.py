"""Where the repository and its example part are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRACKET = ROOT / "examples" / "bracket"
