"""The key by which a box answers for its own: made at the first start, beside the journal.

It proves that what stands in the journal was written by the service, and that a plan was built
here. Whoever has taken over the service's user has it too; what he cannot take back is the head of
the journal's chain in log and heartbeat.

Where systemd hands the service a credential of this name, it is the key instead: on the disk it is
then sealed, by the box's TPM where there is one (systemd.exec(5), systemd-creds(1)).
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.errors import ServiceError

SUFFIX = ".key"
CREDENTIAL = "box.key"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
KEY_BYTES = 32
OTHERS = 0o077


def key_beside(journal: Path) -> Path:
    """Where the key of this journal lies."""
    return journal.with_name(journal.name + SUFFIX)


def load(journal: Path) -> Ed25519PrivateKey | None:
    """The key of this journal; None: it was not made yet. Raises ServiceError, as below."""
    path, sealed = key_beside(journal), _credential()
    if sealed is not None:
        if path.exists():
            raise ServiceError(f"{path}: its sealed copy serves: take this one off the box")
        path = sealed
    try:
        return _load(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}: it signs the journal") from error


def load_or_make(journal: Path) -> Ed25519PrivateKey:
    """The key of this journal. Raises ServiceError when it cannot be used."""
    return load(journal) or _make(key_beside(journal))


def _make(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(key.private_bytes_raw())
            stream.flush()
            os.fsync(file)
            if os.geteuid() == 0:  # a plan is built by root before the first start
                owner = path.parent.stat()
                os.fchown(file, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}: it signs the journal") from error
    return key


def _credential() -> Path | None:
    """What systemd unsealed for this service, if it was told to."""
    folder = os.environ.get(CREDENTIALS)
    path = Path(folder, CREDENTIAL) if folder else None
    return path if path is not None and path.exists() else None


def _load(path: Path) -> Ed25519PrivateKey:
    content = read_regular(path, KEY_BYTES)
    if path.stat().st_mode & OTHERS:
        raise ServiceError(f"{path}: others may read or change this secret: chmod 600 {path}")
    try:
        return Ed25519PrivateKey.from_private_bytes(content)
    except ValueError as error:
        raise ServiceError(f"{path}: is no key: put the right one back from the backup") from error
