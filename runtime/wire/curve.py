"""Who may speak to the box: its CURVE key and the allow-list of its peers (ZeroMQ RFC 26, 27).

Every socket belongs to one role. A peer whose public key is not on the list of that role is turned
away during the handshake: none of its bytes reaches a parser.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.auth

from voxgate.runtime.common.access import ROLES, Access, Role
from voxgate.runtime.errors import KeyFileError

KEY_CHARACTERS = 40  # of a Z85 key
SHARED = stat.S_IWGRP | stat.S_IRWXO  # a secret may be read by its owner and its group, no more

OnDenied = Callable[[Role], None]
"""Hears of every peer that was turned away; called on the authenticator's thread."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Z85 keys as libzmq takes them."""

    public: bytes
    secret: bytes


def load_key_pair(path: Path) -> KeyPair:
    """A certificate with its secret key, as `voxgate keys` and czmq write it.

    Raises KeyFileError: not there, readable by everyone, or no such file.
    """
    try:
        mode = path.stat().st_mode
        public, secret = zmq.auth.load_certificate(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}: `voxgate keys` makes one") from error
    except (ValueError, IndexError) as error:
        raise KeyFileError(f"{path}: is no CURVE certificate: `voxgate keys` makes one") from error
    if mode & SHARED:
        raise KeyFileError(f"{path}: others may read or change this secret: chmod 600 {path}")
    if secret is None:
        raise KeyFileError(f"{path}: holds only a public key: name the .key_secret file")
    if len(public) != KEY_CHARACTERS or len(secret) != KEY_CHARACTERS:
        raise KeyFileError(f"{path}: a key has {KEY_CHARACTERS} characters (Z85)")
    return KeyPair(public, secret)


class Door:
    """Guards the sockets of one context. Raises KeyFileError when the box's key is unusable.

    Close it before the context ends.
    """

    def __init__(
        self, context: zmq.Context[Any], access: Access, on_denied: OnDenied = lambda role: None
    ) -> None:
        from zmq.auth.thread import ThreadAuthenticator  # brings asyncio, 0.1 s

        self._keys = load_key_pair(access.secret_key)
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        for role in ROLES:
            allowed = access.allowed.get(role, frozenset())
            self._authenticator.configure_curve_callback(role, _List(role, allowed, on_denied))

    def guard(self, socket: zmq.Socket[bytes], role: Role) -> None:
        """Before it is bound: only peers of this role get through."""
        socket.curve_server = True
        socket.curve_publickey = self._keys.public
        socket.curve_secretkey = self._keys.secret
        socket.zap_domain = role.encode()
        # should the authenticator ever be gone, nobody comes in instead of everybody
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)

    @property
    def alive(self) -> bool:
        """Whether peers that knock are still judged."""
        return self._authenticator.is_alive()

    def close(self) -> None:
        """Nobody new gets in."""
        self._authenticator.stop()


@dataclass(frozen=True, slots=True)
class _List:
    """What pyzmq asks about each key that a peer has proven to own."""

    role: Role
    allowed: frozenset[str]
    on_denied: OnDenied

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether this public key (Z85) may come in."""
        known = key.decode("ascii", "replace") in self.allowed
        if not known:
            self.on_denied(self.role)
        return known
