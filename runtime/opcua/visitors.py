"""Who may read and who may call: trusted certificates, accounts, and the callers among them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import USER_TYPES, PermissionRuleset, User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from voxgate.runtime.common.people.accounts import Accounts
from voxgate.runtime.common.people.patience import Patience
from voxgate.runtime.common.text import legible
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.opcua import OpcUaSecurity
from voxgate.runtime.errors import KeyFileError

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
ANYBODY = "anybody here"
CALL = ua.NodeId(ua.ObjectIds.CallRequest_Encoding_DefaultBinary)
WRITE = ua.NodeId(ua.ObjectIds.WriteRequest_Encoding_DefaultBinary)
READING = {ua.NodeId(each) for each in USER_TYPES} - {CALL, WRITE}


@dataclass(frozen=True, slots=True)
class Trusted:
    """A client's certificate, by the name of its file."""

    name: str
    until: datetime


class Visitors:
    """security None: any program of this machine. Raises KeyFileError for files it cannot use."""

    def __init__(self, security: OpcUaSecurity | None) -> None:
        self._is_open = security is None
        self._trusted = {} if security is None else read_trusted(security.trusted)
        named = None if security is None else security.accounts
        self._accounts = None if named is None else Accounts(named)
        self._patience = Patience(time.monotonic)

    def trusts(self, certificate: bytes | None) -> bool:
        """DER, of whoever opens a channel."""
        return self._name_of(certificate) is not None

    def get_user(
        self,
        iserver: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """As asyncua asks: certificate is the user's, or for nobody in particular the channel's."""
        if self._is_open:
            name: str | None = ANYBODY if username is None else None
        elif username is not None:
            name = self._proven(username, password or "")
        else:
            name = self._name_of(certificate)
        if name is None:
            log.warning("nobody is let in as %s", legible(username or "a certificate"))
            return None
        log.info("%s is let in", name)
        return User(UserRole.User, name)

    def _name_of(self, certificate: bytes | None) -> str | None:
        known = self._trusted.get(certificate or b"")
        return known.name if known is not None and utc_now() < known.until else None

    def _proven(self, name: str, password: str) -> str | None:
        if self._accounts is None or self._patience.wait_s(name) > 0:
            return None
        if self._accounts.role_of(name, password) is None:
            self._patience.failed(name)
            return None
        self._patience.succeeded(name)
        return name


class Rules(PermissionRuleset):
    """Everybody who was let in reads, callers call, nobody writes or changes a node."""

    def __init__(self, security: OpcUaSecurity | None) -> None:
        self._callers = {ANYBODY} if security is None else set(security.callers)

    def check_validity(self, user: User | None, action_type_id: ua.NodeId, body: bytes) -> bool:
        """As asyncua asks, for every request of a session."""
        if action_type_id == CALL:
            return user is not None and user.name in self._callers
        return action_type_id in READING


def read_trusted(folder: Path) -> Mapping[bytes, Trusted]:
    """By DER. Raises KeyFileError for a folder that cannot be read, or what is no certificate."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".pem", ".der"))
        return dict(_trusted(file) for file in files)
    except OSError as error:
        raise KeyFileError(f"{folder}: cannot be read: {error.strerror}") from error


def _trusted(file: Path) -> tuple[bytes, Trusted]:
    content = read_regular(file, MOST_BYTES)
    try:
        certificate = (
            x509.load_pem_x509_certificate(content)
            if file.suffix == ".pem"
            else x509.load_der_x509_certificate(content)
        )
    except ValueError as error:
        raise KeyFileError(f"{file}: is no certificate: {error}") from error
    return certificate.public_bytes(Encoding.DER), Trusted(
        file.stem, certificate.not_valid_after_utc
    )
