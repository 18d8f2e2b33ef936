"""What a release is made of, as CycloneDX: `python sbom.py LOCK VERSION > voxgate.cdx.json`.

From the lock that a box is installed from, so that it holds what is installed and its hashes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any


def made_of(lock: Path, version: str) -> dict[str, Any]:
    """The bill, complete or not at all."""
    command = ["cyclonedx-py", "requirements", str(lock), "--pyproject", "pyproject.toml"]
    within = str(Path(sys.executable).parent)
    said = subprocess.run(
        [f"{within}/{command[0]}", *command[1:], "--output-reproducible", "--validate"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    bill: dict[str, Any] = json.loads(said)
    bill["metadata"]["component"]["version"] = version
    listed = sorted((each["name"], each["version"]) for each in bill["components"])
    if listed != sorted(re.findall(r"^([\w.-]+)==([\w.]+)", lock.read_text(), re.MULTILINE)):
        raise SystemExit(f"{lock}: the bill holds other packages than the lock")
    return bill


if __name__ == "__main__":
    sys.stdout.write(json.dumps(made_of(Path(sys.argv[1]), sys.argv[2]), indent=1) + "\n")
