"""Make the keys of a cell: CURVE pairs for its programs, an Ed25519 pair for who signs recipes.

CURVE files have the layout that czmq and pyzmq share; a signing key is PKCS 8 PEM, as openssl
writes it. A secret is only ever created, never overwritten, and only its owner may read it.
"""

from __future__ import annotations

import os
from pathlib import Path

import zmq
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.wire.curve import PUBLIC_SUFFIX, SECRET_SUFFIX, KeyPair, load_key_pair

SIGNER_SUFFIX = ".pem"
OWNER_ONLY, AND_GROUP = 0o600, 0o640
MAX_KEY_BYTES = 64 * 1024


def make_key_pair(folder: Path, name: str, for_group: bool = False) -> tuple[Path, KeyPair]:
    """Write `folder/name.key_secret`, and the public half alone as `folder/name.key`.

    Raises KeyFileError when the secret exists or a file cannot be written. for_group: made by root,
    the folder's group may read it, as which the service runs.
    """
    public, secret = zmq.curve_keypair()
    path = folder / f"{name}{SECRET_SUFFIX}"
    text = (
        f"# ZeroMQ CURVE certificate of {name}: SECRET, for this program alone\n"
        "metadata\n"
        f"    name = {name}\n"
        "curve\n"
        f'    public-key = "{public.decode()}"\n'
        f'    secret-key = "{secret.decode()}"\n'
    )
    _create(path, text.encode(), for_group)
    told = text.replace("SECRET, for this program alone", "public, for everybody it talks to")
    _tell(folder / f"{name}{PUBLIC_SUFFIX}", told[: told.index("    secret-key")])
    return path, load_key_pair(path)


def make_signer(folder: Path, name: str, passphrase: str | None) -> tuple[Path, str]:
    """Write `folder/name.pem`; its public key in hex. Raises KeyFileError as make_key_pair does."""
    key = Ed25519PrivateKey.generate()
    lock: KeySerializationEncryption = NoEncryption()
    if passphrase:
        lock = BestAvailableEncryption(passphrase.encode())
    path = folder / f"{name}{SIGNER_SUFFIX}"
    _create(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return path, key.public_key().public_bytes_raw().hex()


def load_signer(path: Path, passphrase: str | None) -> Ed25519PrivateKey:
    """Raises KeyFileError: not there, no Ed25519 key, or another passphrase."""
    try:
        content = read_regular(path, MAX_KEY_BYTES)
        refuse_shared(path)
    except OSError as error:
        raise KeyFileError(
            f"{path}: {error.strerror}: `voxgate keys signer` makes such a file"
        ) from error
    try:
        key = load_pem_private_key(content, passphrase.encode() if passphrase else None)
    except TypeError as error:
        words = "needs its passphrase" if passphrase is None else "has no passphrase"
        raise KeyFileError(f"{path}: {words}: --ask-passphrase says which") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: is no key, or the passphrase is another") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: is no Ed25519 key: `voxgate keys signer` makes one")
    return key


def _tell(path: Path, text: str) -> None:
    """What everybody may read."""
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}: choose a folder you may write to") from error


def _create(path: Path, content: bytes, for_group: bool = False) -> None:
    """Never over an older one: whoever trusts that one would be locked out."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    except FileExistsError as error:
        raise KeyFileError(f"{path}: exists already: choose another name or folder") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}: choose a folder you may write to") from error
    with os.fdopen(file, "wb") as stream:
        group = path.parent.stat().st_gid
        if for_group and os.geteuid() == 0 and group:
            os.fchown(file, 0, group)
            os.fchmod(file, AND_GROUP)
        stream.write(content)
