"""The box without a recipe, in a process of its own: every job of the robot becomes a recording."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.evidence_folder import kept_in

RECORD = (sys.executable, "-c", "from voxgate.runtime.cli import main; main()", "record")
PERIOD_S = 0.2
STOP_S = 20.0
LOG = "record.log"
LAST_WORDS = 300  # characters


class Recorder:
    """Of one cell, into `folder`; with the block it ends."""

    def __init__(self, cell: Path, folder: Path) -> None:
        self.folder = folder
        self._log = folder / LOG
        folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            command = [*RECORD, str(folder), "-c", str(cell)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def next(self, known: set[str], sleep: Callable[[float], None] = time.sleep) -> Path:
        """The oldest recording whose name is not known, waited for without end.

        Raises ServiceError, with its last words, when the recording process has ended.
        """
        while True:
            new = [kept.name for kept in kept_in(self.folder) if kept.name not in known]
            if new:
                return self.folder / new[0]
            if self._process.poll() is not None:
                said = self._log.read_text(encoding="utf-8", errors="replace").strip()
                raise ServiceError(
                    f"nothing can be recorded: {said[-LAST_WORDS:]}: is the cell being served? "
                    "`systemctl stop voxgate`, teach, then start it again"
                )
            sleep(PERIOD_S)
