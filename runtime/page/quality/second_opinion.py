"""Another recipe's word about a recorded job: the recording replayed in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Lock

from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError, ServiceError
from voxgate.runtime.page.quality.archive import Archive
from voxgate.runtime.recipe.folder import manifest_text
from voxgate.runtime.recipe.signature import verified
from voxgate.runtime.recipe.store import trust_of

PATIENCE_S = 300.0
SAID = ("recipe", "outcome", "score", "coverage", "reasons", "defects", "defect_count")
REPLAY = (sys.executable, "-c", "from voxgate.runtime.cli import main; main()", "replay", "--json")

_one_at_a_time = Lock()  # on a box that has a line to serve


def second_opinion(archive: Archive, job_id: str, label: str) -> dict[str, object]:
    """What the recipe `label` of the cell says of the recording, beside what the line said.

    Raises RecipeError for one that is not there or that nobody trusted has signed, ServiceError
    when another one is being asked, ScanError where there is no recording.
    """
    folder = _trusted(archive, label)
    recording = archive.recording(job_id)
    if not _one_at_a_time.acquire(blocking=False):
        raise ServiceError("another recording is being replayed: wait until that is done")
    try:
        said = _replayed(recording, folder)
    finally:
        _one_at_a_time.release()
    line = archive.verdict(job_id)
    first = None if line is None else json.loads(line.to_json())
    return {"line": None if first is None else _short(first), "other": _short(said)}


def _trusted(archive: Archive, label: str) -> Path:
    if label not in archive.recipes():
        raise RecipeError("no such recipe lies in the cell's folder")
    folder = archive.config.recipes.folder / label
    verified(folder, manifest_text(folder), trust_of(archive.config.recipes), utc_now())
    return folder


def _replayed(recording: Path, recipe: Path) -> dict[str, object]:
    command = [*REPLAY, str(recording), "--recipe", str(recipe)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        said = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ServiceError(f"the replay came to no end: {type(error).__name__}") from error
    if "error" in said:
        raise ServiceError(str(said["error"]))
    return dict(said["verdict"])


def _short(verdict: dict[str, object]) -> dict[str, object]:
    return {name: verdict[name] for name in SAID}
