"""What was compiled on this box, sealed by its key: a plan is code, and no signer has seen it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.common.trusted.box_key import load_or_make
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import PlanError, ServiceError

PURPOSE = b"voxgate plans 1"
MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Seal:
    """Of one box: what bears none, or another's, is not loaded."""

    key: bytes

    @classmethod
    def of(cls, config: CellConfig) -> Seal:
        """By the key beside the cell's journal. Raises PlanError when there is none."""
        try:
            own = load_or_make(config.journal.path)
        except ServiceError as error:
            raise PlanError(str(error)) from error
        return cls(hmac.digest(own.private_bytes_raw(), PURPOSE, hashlib.sha256))

    def over(self, name: str, content: bytes) -> bytes:
        """For content under this name."""
        return hmac.digest(self.key, name.encode() + b"\n" + content, hashlib.sha256)

    def fits(self, name: str, content: bytes, seal: bytes) -> bool:
        """Whether this box sealed this content under this name."""
        return hmac.compare_digest(self.over(name, content), seal)


def read_seal(path: Path) -> bytes:
    """The seal in a file; b"" where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAC_BYTES + 1)
    except OSError:
        return b""
