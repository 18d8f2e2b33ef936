"""A page as PDF, printed by the browser of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import ScanError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0


def pdf_of(html: str) -> bytes:
    """Of a page that stands alone. Raises ScanError where there is no browser, or none prints."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ScanError(
            "a PDF is printed by Chromium, which is not installed: apt-get install chromium, or "
            "write --out x.html and print that"
        )
    with tempfile.TemporaryDirectory() as folder:
        page, out = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(html, encoding="utf-8")
        said = _print(browser, page, out, Path(folder, "profile"))
        if not out.is_file():
            raise ScanError(f"{browser} printed nothing: {one_line(said)}")
        return out.read_bytes()


def _print(browser: str, page: Path, out: Path, profile: Path) -> str:
    # the page runs no script and asks for nothing; as root Chromium has no sandbox to offer
    command = [
        *(browser, "--headless", "--disable-gpu", "--no-pdf-header-footer"),
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        *(f"--user-data-dir={profile}", f"--print-to-pdf={out}", page.as_uri()),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return done.stderr
