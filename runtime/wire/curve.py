"""CURVE key pairs (ZeroMQ RFC 26) as files hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth

from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.errors import KeyFileError

KEY_CHARACTERS = 40  # of a Z85 key
SECRET_SUFFIX, PUBLIC_SUFFIX = ".key_secret", ".key"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Z85 keys as libzmq takes them."""

    public: bytes
    secret: bytes


def peer_context(
    peer: Path | None, box: bytes | None, is_ipv6: bool
) -> zmq.Context[zmq.Socket[bytes]]:
    """Every socket made of it shows the key in the file `peer` to the box, and to no other.

    box: its public key (Z85); one of them None: plain sockets. Raises KeyFileError.
    """
    own = None if peer is None or box is None else load_key_pair(peer)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.setsockopt(zmq.IPV6, is_ipv6)
    context.setsockopt(zmq.LINGER, 0)
    if own is not None and box is not None:
        context.setsockopt(zmq.CURVE_PUBLICKEY, own.public)
        context.setsockopt(zmq.CURVE_SECRETKEY, own.secret)
        context.setsockopt(zmq.CURVE_SERVERKEY, box)
    return context


def load_key_pair(path: Path) -> KeyPair:
    """A certificate with its secret key, as `voxgate keys` and czmq write it.

    Raises KeyFileError: not there, readable by everyone, or no such file.
    """
    try:
        refuse_shared(path)
        public, secret = zmq.auth.load_certificate(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}: `voxgate keys` makes one") from error
    except (ValueError, IndexError) as error:
        raise KeyFileError(f"{path}: is no CURVE certificate: `voxgate keys` makes one") from error
    if secret is None:
        raise KeyFileError(f"{path}: holds only a public key: name the .key_secret file")
    if len(public) != KEY_CHARACTERS or len(secret) != KEY_CHARACTERS:
        raise KeyFileError(f"{path}: a key has {KEY_CHARACTERS} characters (Z85)")
    return KeyPair(public, secret)


def public_key_of(secret: Path, beside: Path | None = None) -> bytes:
    """The public half (Z85) of the pair in `secret`, without opening that file if it can be helped.

    Its `.key` file says it, beside the file `beside` or beside the secret: a program that only
    talks to the box has no business with the box's secret. Raises KeyFileError.
    """
    name = secret.name.removesuffix(SECRET_SUFFIX) + PUBLIC_SUFFIX
    places = [each.with_name(name) for each in (beside, secret) if each is not None]
    found = next((place for place in places if place.is_file()), None)
    return load_key_pair(secret).public if found is None else _public(found)


def _public(path: Path) -> bytes:
    try:
        public, _ = zmq.auth.load_certificate(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}: it is the box's public key") from error
    except (ValueError, IndexError) as error:
        raise KeyFileError(f"{path}: is no CURVE certificate: `voxgate keys` makes one") from error
    if len(public) != KEY_CHARACTERS:
        raise KeyFileError(f"{path}: a key has {KEY_CHARACTERS} characters (Z85)")
    return public
