"""The file of accounts: a line `name:role:hash` each, Argon2id in the PHC form (RFC 9106)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from voxgate.runtime.common.people.role import Role
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.errors import KeyFileError

ITERATIONS, LANES, MEMORY_KIB = 3, 4, 64 * 1024  # RFC 9106, section 4: the second choice
SALT_BYTES, HASH_BYTES = 16, 32
LEAST_CHARACTERS, MOST_CHARACTERS = 12, 256
MAX_FILE_BYTES = 1 << 18
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OWNER_AND_GROUP = 0o640


@dataclass(frozen=True, slots=True)
class Account:
    """One person."""

    name: str
    role: Role
    secret: str


class Accounts:
    """Read once. Raises KeyFileError for a file that others may read, or that is none."""

    def __init__(self, file: Path) -> None:
        self._of = {account.name: account for account in read_accounts(file)}
        if not self._of:
            raise KeyFileError(f"{file}: holds no account: `voxgate account add` makes one")
        self._nobody = hashed(os.urandom(SALT_BYTES).hex())

    def role_of(self, name: str, password: str) -> Role | None:
        """None: nobody of this name, or another password; both take equally long."""
        account = self._of.get(name)
        right = _is(password, self._nobody if account is None else account.secret)
        return account.role if account is not None and right else None


def hashed(password: str) -> str:
    """As it stands in the file."""
    return _kdf(os.urandom(SALT_BYTES)).derive_phc_encoded(password.encode())


def read_accounts(file: Path) -> list[Account]:
    """Of a file. Raises KeyFileError."""
    try:
        refuse_shared(file)
        text = read_regular(file, MAX_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise KeyFileError(
            f"{file}: {error.strerror}: `voxgate account add` makes such a file"
        ) from error
    return list(_accounts(file, text))


def put_account(file: Path, name: str, role: Role, password: str) -> None:
    """Add an account, or give it another role and password. Raises KeyFileError."""
    if NAME.fullmatch(name) is None:
        raise KeyFileError(f"{name!r}: a name has letters, digits, dot, dash, underscore")
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise KeyFileError(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    others = [each for each in (read_accounts(file) if file.exists() else []) if each.name != name]
    write_accounts(file, [*others, Account(name, role, hashed(password))])


def write_accounts(file: Path, accounts: list[Account]) -> None:
    """In one step, with the rights that the file had. Raises KeyFileError."""
    draft = file.with_name(f".{file.name}.draft")
    lines = [f"{each.name}:{each.role.value}:{each.secret}\n" for each in accounts]
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as stream:
            group = file.parent.stat().st_gid
            if os.geteuid() == 0 and group:  # as which the page's user reads it
                os.fchown(stream.fileno(), 0, group)
                os.fchmod(stream.fileno(), OWNER_AND_GROUP)
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be written: {error.strerror}") from error


def _accounts(file: Path, text: str) -> Iterator[Account]:
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, rest = line.partition(":")
        role, _, secret = rest.partition(":")
        known = {each.value for each in Role}
        if NAME.fullmatch(name) is None or role not in known or not secret.startswith("$argon2id$"):
            raise KeyFileError(f"{file}:{number}: is no account: `voxgate account add` writes them")
        yield Account(name, Role(role), secret)


def _is(password: str, secret: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), secret)
    except (InvalidKey, ValueError):
        return False
    return True


def _kdf(salt: bytes) -> Argon2id:
    return Argon2id(
        salt=salt, length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB
    )
