"""A recipe that is not what was exported any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voxgate.runtime.recipe.folder import MANIFEST_FILE, sha256


def change_manifest(recipe: Path, **changes: Any) -> None:
    """Set fields of the manifest."""
    file = recipe / MANIFEST_FILE
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


def replace_file(recipe: Path, name: str, content: bytes) -> None:
    """Swap a file together with its hash: what is inside must be checked too."""
    (recipe / name).write_bytes(content)
    files = json.loads((recipe / MANIFEST_FILE).read_text("utf-8"))["files"]
    change_manifest(recipe, files=files | {name: sha256(content)})


def flip_a_bit(file: Path) -> None:
    """In the middle of a file, under its old hash."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
