"""The folder of recorded jobs: complete files only, the oldest give way, what failed last.

A file appears under its name when it is on disk (draft, fsync, rename). Its name says when, which
job and which outcome, so that cleaning opens nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from voxgate.runtime.common.durable import sync
from voxgate.runtime.config.sections import EvidenceSection
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome

DRAFT = ".draft"
NAME = re.compile(
    r"(?P<utc>\d{8}T\d{6}Z)_(?P<job>[A-Za-z0-9._+-]{1,64})_(?P<outcome>PASS|FAIL|INDETERMINATE)\.mcap"
)
COLON = "+"  # job ids may hold one; other file systems may not, and no job id holds a plus
DAY_S = 86_400.0
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """How much may lie there, and how long. min_free_bytes: left on the disk for others."""

    max_bytes: int
    max_age_s: float
    keep_fail_s: float
    min_free_bytes: int

    def age_s(self, outcome: Outcome) -> float:
        """How old a file of this outcome may become."""
        return self.max_age_s if outcome is Outcome.PASS else self.keep_fail_s


def quota_of(section: EvidenceSection) -> Quota:
    """The limits of a cell's YAML."""
    return Quota(
        max_bytes=int(section.max_gb * GB),
        max_age_s=section.max_age_days * DAY_S,
        keep_fail_s=section.keep_fail_days * DAY_S,
        min_free_bytes=int(section.min_free_gb * GB),
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """One recorded job on disk; t_utc_s: when it was written, seconds since 1970."""

    name: str
    job_id: str
    outcome: Outcome
    bytes: int
    t_utc_s: float


class DiskFullError(OSError):
    """Less than the least free is left, although passed parts gave way."""


class Shelf:
    """Knows what lies in its folder; every method may raise OSError."""

    def __init__(self, folder: Path, quota: Quota) -> None:
        self.folder = folder
        self._quota = quota
        self.kept: dict[str, Kept] = {}

    @property
    def kept_bytes(self) -> int:
        """What the recordings take."""
        return sum(kept.bytes for kept in self.kept.values())

    @property
    def oldest_utc_s(self) -> float | None:
        """When the oldest recording was written; None: there is none."""
        return min((kept.t_utc_s for kept in self.kept.values()), default=None)

    def open(self) -> None:
        """Make the folder, remove what a crash left half written, list the rest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f".*{DRAFT}"):
            path.unlink(missing_ok=True)
        self.look_again()

    def look_again(self) -> None:
        """Look again: people delete and copy files too."""
        self.kept = {kept.name: kept for kept in kept_in(self.folder)}

    def prove(self) -> None:
        """Whether a file can be written and made durable."""
        path = self.folder / f".proof{DRAFT}"
        try:
            with path.open("wb") as file:
                file.write(b"voxgate")
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)

    def put(
        self, job_id: str, outcome: Outcome, utc: datetime, write: Callable[[IO[bytes]], None]
    ) -> Path:
        """Write one recording; its path. DiskFullError, OSError: nothing of it is left."""
        name = file_name(job_id, outcome, utc)
        draft = self.folder / f".{name}{DRAFT}"
        try:
            with draft.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            self._make_room(size)
            draft.rename(self.folder / name)
            sync(self.folder)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self.kept[name] = Kept(name, job_id, outcome, size, utc.timestamp())
        return self.folder / name

    def clean(self, now_utc_s: float | None) -> int:
        """Remove what is too old (None: the time is not believed) and too much; how many."""
        before = len(self.kept)
        for kept in list(self.kept.values()):
            too_old = self._quota.age_s(kept.outcome)
            if now_utc_s is not None and now_utc_s - kept.t_utc_s > too_old:
                self._remove(kept)
        self._shrink(self._quota.max_bytes)
        self.free_for_others()
        return before - len(self.kept)

    def free_for_others(self) -> bool:
        """Passed parts give way until the least free is left; whether it is."""
        for kept in self._oldest_first():
            if self.free_bytes >= self._quota.min_free_bytes:
                return True
            if kept.outcome is Outcome.PASS:
                self._remove(kept)
        return self.free_bytes >= self._quota.min_free_bytes

    @property
    def free_bytes(self) -> int:
        """Of the disk, for this user."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def _make_room(self, size: int) -> None:
        if size > self._quota.max_bytes:
            raise DiskFullError(f"one recording of {size / 1e6:.0f} MB is more than max_gb allows")
        self._shrink(self._quota.max_bytes - size)
        if not self.free_for_others():
            raise DiskFullError(f"{self.free_bytes / 1e9:.1f} GB are free, less than min_free_gb")

    def _shrink(self, most: int) -> None:
        total = self.kept_bytes
        for kept in self._oldest_first():
            if total <= most:
                return
            self._remove(kept)
            total -= kept.bytes

    def _oldest_first(self) -> list[Kept]:
        """Passed parts before all others."""
        return sorted(
            self.kept.values(), key=lambda kept: (kept.outcome is not Outcome.PASS, kept.t_utc_s)
        )

    def _remove(self, kept: Kept) -> None:
        (self.folder / kept.name).unlink(missing_ok=True)
        self.kept.pop(kept.name, None)


def kept_in(folder: Path) -> list[Kept]:
    """Every recorded job in a folder, oldest first. Raises OSError."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = NAME.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                info = entry.stat(follow_symlinks=False)
                job_id, outcome = match["job"].replace(COLON, ":"), Outcome(match["outcome"])
                found.append(Kept(entry.name, job_id, outcome, info.st_size, info.st_mtime))
    return sorted(found, key=lambda kept: (kept.t_utc_s, kept.name))


def recording_of(folder: Path, job_id: str) -> Path:
    """The file of a job, the newest if there are several. Raises ScanError when none is kept."""
    try:
        found = [kept.name for kept in kept_in(folder) if kept.job_id == job_id]
    except OSError as error:
        raise ScanError(f"{folder}: {error.strerror}") from error
    if not found:
        raise ScanError(
            f"{job_id}: no recording in {folder}: `voxgate evidence list` shows what is kept"
        )
    return folder / found[-1]


def file_name(job_id: str, outcome: Outcome, utc: datetime) -> str:
    """Sortable by time, legible to people."""
    return f"{utc:%Y%m%dT%H%M%SZ}_{job_id.replace(':', COLON)}_{outcome.value}.mcap"
