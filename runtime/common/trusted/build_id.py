"""Which code runs: the version, and a digest of every module of it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from voxgate import __version__

DIGEST_CHARACTERS = 12
RUNTIME = Path(__file__).parents[2]


@cache
def build_id() -> str:
    """`0.2.0+1a2b3c4d5e6f`: the same for two boxes only if they run the same code."""
    digest = hashlib.sha256()
    for file in sorted(RUNTIME.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(RUNTIME)} {len(content)}\n".encode() + content)
    return f"{__version__}+{digest.hexdigest()[:DIGEST_CHARACTERS]}"
