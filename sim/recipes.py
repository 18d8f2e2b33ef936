"""One recipe per golden scan: exported when it is first needed, found again by its content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from voxgate.runtime.errors import ScanError, ServiceError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.sim.box import voxgate
from voxgate.sim.export_code import export_digest


def export_once(golden: Path, recipes: Path) -> Path:
    """The recipe of `golden`, exported unless this very scan was already, by this very code.

    Returns recipes/<part>/<version>. Raises ServiceError when the export fails.
    """
    version = content_key(golden)
    part = Calibration.load(golden.parent / "calibration.json").part
    folder = recipes / part / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second waits, and finds it done
        if not (folder / MANIFEST_FILE).is_file():
            _export(golden, folder, part)
    return folder


def _export(golden: Path, folder: Path, part: str) -> None:
    arguments = ["--scan", str(golden), "--out", str(folder), "--name", part]
    done = subprocess.run(
        voxgate("export", "reference", *arguments, "--version", folder.name),
        check=False,
        stdout=sys.stderr,  # on stdout, a caller may owe one JSON object
    )
    if done.returncode != 0:
        raise ServiceError(f"the export of {golden} failed with {done.returncode}, see above")


def copy_as(recipe: Path, recipes: Path, label: str) -> Path:
    """A copy of an unsigned recipe at recipes/<name>/<version>, of that label."""
    folder = recipes / label
    shutil.copytree(recipe, folder)
    file = folder / MANIFEST_FILE
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["name"], _, manifest["version"] = label.partition("/")
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def content_key(golden: Path) -> str:
    """12 hex digits over the scan, its calibration and the code that makes a recipe of them."""
    if not (golden / "frames.jsonl").is_file():
        raise ScanError(f"{golden}: no scan there; run the demo from the repository's root")
    scan = [golden / "frames.jsonl", golden / "robot_poses.jsonl"]
    scan += [*sorted((golden / "images").iterdir()), *sorted((golden / "depth").iterdir())]
    digest = hashlib.sha256(export_digest())
    for file in [golden.parent / "calibration.json", *scan]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
