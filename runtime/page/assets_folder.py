"""The files that a browser gets as they are."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).with_name("assets")


def asset(name: str) -> str:
    """The text of a page."""
    return (ASSETS / name).read_text("utf-8")
