"""What was compiled on this box, sealed by its key: a plan is code, and no signer has seen it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voxgate.runtime.common.trusted.box_key import load, load_or_make
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
        """To seal with, by the key beside the cell's journal. Raises PlanError without one."""
        key = _key(config, load_or_make)
        assert key is not None
        return cls(key)

    @classmethod
    def known(cls, config: CellConfig) -> Seal | None:
        """To look with: no key is made, for who has none has sealed nothing. Raises PlanError."""
        key = _key(config, load)
        return None if key is None else cls(key)

    def over(self, name: str, content: bytes) -> bytes:
        """For content under this name."""
        return hmac.digest(self.key, name.encode() + b"\n" + content, hashlib.sha256)

    def fits(self, name: str, content: bytes, seal: bytes) -> bool:
        """Whether this box sealed this content under this name."""
        return hmac.compare_digest(self.over(name, content), seal)


def _key(config: CellConfig, read: Callable[[Path], Ed25519PrivateKey | None]) -> bytes | None:
    try:
        own = read(config.journal.path)
    except ServiceError as error:
        raise PlanError(str(error)) from error
    if own is None:
        return None
    return hmac.digest(own.private_bytes_raw(), PURPOSE, hashlib.sha256)


def read_seal(path: Path) -> bytes:
    """The seal in a file; b"" where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAC_BYTES + 1)
    except OSError:
        return b""
