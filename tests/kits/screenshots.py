"""Pictures for the pages, as the tests see it, where somebody asks for them."""

from __future__ import annotations

import os
from pathlib import Path

from voxgate.benchmarks.line.browser import Page

FOLDER = "VOXGATE_SCREENSHOTS"  # such as docs


def screenshot(tab: Page, name: str) -> None:
    """What the tab shows now, under this name."""
    folder = os.environ.get(FOLDER)
    if folder:
        tab.picture(Path(folder) / name)
