"""A real browser, Chromium without a screen, driven over a pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxgate.runtime.errors import ServiceError

TO_BROWSER, FROM_BROWSER = 3, 4  # descriptors that --remote-debugging-pipe reads and writes
PATIENCE_S, PERIOD_S = 60.0, 0.01
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")


class Page:
    """One tab."""

    def __init__(self, write_fd: int, read_fd: int) -> None:
        self._write_fd, self._read_fd = write_fd, read_fd
        self._ids = itertools.count(1)
        self._pending = b""
        target = self._ask("Target.createTarget", None, url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", None, targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def likes(self, scheme: str) -> None:
        """dark or light, as the person at it has chosen."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._ask("Emulation.setEmulatedMedia", self._session, features=features)

    def sheets(self) -> int:
        """How many pages of paper it prints on."""
        said = self._ask("Page.printToPDF", self._session, preferCSSPageSize=True)
        return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(said["data"])))

    def open(self, url: str, width_px: int = 1280, height_px: int = 720) -> None:
        """Go there, on a screen of this size."""
        size = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", self._session, **size)
        self._ask("Page.navigate", self._session, url=url)

    def value(self, expression: str) -> Any:
        """What this JavaScript is there."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        said = self._ask("Runtime.evaluate", self._session, **asked)
        return said["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until it is true there. Raises TimeoutError."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{expression}: not within {PATIENCE_S:g} s")
            time.sleep(PERIOD_S)

    def press(self, key: str) -> None:
        """A key, as a person without a mouse does."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", self._session, type=kind, key=key, code=key)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self._ask("Input.insertText", self._session, text=text)

    def picture(self, file: Path) -> None:
        """As PNG."""
        said = self._ask("Page.captureScreenshot", self._session, format="png")
        file.write_bytes(base64.b64decode(said["data"]))

    def _ask(self, method: str, session: str | None, **said: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": said}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write_fd, json.dumps(message).encode() + b"\0")
        while True:  # events come between
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            more = os.read(self._read_fd, 1 << 16)
            assert more, "the browser is gone"
            self._pending += more
        first, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(first))


@contextmanager
def browser(profile: Path, *more: str) -> Iterator[Page]:
    """A tab of a fresh browser; profile: an empty folder; more: options of its own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ServiceError("no browser: apt-get install chromium")
    theirs_read, write_fd = os.pipe()
    read_fd, theirs_write = os.pipe()
    script = f'exec "$@" {TO_BROWSER}<&{theirs_read} {FROM_BROWSER}>&{theirs_write}'
    command = [chromium, *OPTIONS, *more, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *command],
        pass_fds=(theirs_read, theirs_write),
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_read)
    os.close(theirs_write)
    try:
        yield Page(write_fd, read_fd)
    finally:
        os.close(write_fd)  # it ends with its pipe
        process.wait(20)
        os.close(read_fd)
