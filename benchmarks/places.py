"""Where a checkout keeps what the figures are measured on, and what measuring leaves behind."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BRACKET = ROOT / "examples" / "bracket"
RECIPES = ROOT / "out" / "recipes"
