"""One recipe per golden scan: exported when it is first needed, found again by its content."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import runtime
from runtime.calibration import Calibration
from runtime.errors import ScanError, ServiceError
from sim.box import voxgate


def export_once(golden: Path, recipes: Path) -> Path:
    """The recipe of `golden`, exported unless this very scan was already, by this very code.

    Returns recipes/<part>/<version>. Raises ServiceError when the export fails.
    """
    version = content_key(golden)
    part = Calibration.load(golden.parent / "calibration.json").part
    folder = recipes / part / version
    if (folder / "manifest.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--scan", str(golden), "--out", str(folder), "--name", part]
    done = subprocess.run(
        voxgate("export", "reference", *arguments, "--version", folder.name),
        check=False,
        stdout=sys.stderr,  # on stdout, a caller may owe one JSON object
    )
    if done.returncode != 0 and not (folder / "manifest.json").is_file():  # someone else was faster
        raise ServiceError(f"the export of {golden} failed with {done.returncode}, see above")
    return folder


def content_key(golden: Path) -> str:
    """12 hex digits over the scan, its calibration and the code that makes a recipe of them."""
    if not (golden / "frames.jsonl").is_file():
        raise ScanError(f"{golden}: no scan there; run the demo from the repository's root")
    home = Path(runtime.__file__).parent
    code = [*sorted(home.rglob("*.py")), *sorted(home.with_name("export").rglob("*.py"))]
    scan = [golden / "frames.jsonl", golden / "robot_poses.jsonl"]
    scan += [*sorted((golden / "images").iterdir()), *sorted((golden / "depth").iterdir())]
    digest = hashlib.sha256()
    for file in [*code, golden.parent / "calibration.json", *scan]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
