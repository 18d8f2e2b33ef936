"""Who answers for a recipe: Ed25519 over its manifest (RFC 8032), checked before all parsing.

The manifest lists the sha256 of every other file, so the one signature covers the whole recipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.errors import RecipeError

SIGNATURE_FILE = "SIGNATURE"
MAX_BYTES = 4096
PURPOSE = b"voxgate recipe 1\n"  # a signature for anything else is none for a recipe


@dataclass(frozen=True, slots=True)
class Trust:
    """signers: public key (hex) -> name of those whose recipes are opened."""

    signers: Mapping[str, str] = field(default_factory=dict)
    allow_unsigned: bool = False


ANYBODY = Trust(allow_unsigned=True)
"""For a person at a workstation who names the recipe's folder."""


class Signature(BaseModel):
    """The file SIGNATURE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    not_after_utc: AwareDatetime | None = None
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def sign(manifest: bytes, key: Ed25519PrivateKey, not_after_utc: datetime | None) -> Signature:
    """By the owner of `key`, for as long as the recipe may serve; None: for ever."""
    return Signature(
        public_key=key.public_key().public_bytes_raw().hex(),
        not_after_utc=not_after_utc,
        signature=key.sign(_message(manifest, not_after_utc)).hex(),
    )


def write_signature(folder: Path, signature: Signature) -> None:
    """Beside the manifest, in one step. Raises RecipeError when it cannot be written."""
    write_signed(folder / SIGNATURE_FILE, signature)


def write_signed(path: Path, what: BaseModel) -> None:
    """As JSON, in one step. Raises RecipeError when it cannot be written."""
    draft = path.with_suffix(".new")
    try:
        draft.write_text(what.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}: sign it where you may write") from error


def verified(folder: Path, manifest: bytes, trust: Trust, now_utc: datetime) -> Signature | None:
    """The valid signature of a trusted signer; None for a recipe that may be unsigned.

    Raises RecipeError with what to do for any other recipe. Without signers nothing is checked.
    """
    if not trust.signers and trust.allow_unsigned:
        return None
    path = folder / SIGNATURE_FILE
    found = _read(path)
    if found.public_key not in trust.signers:
        raise RecipeError(
            f"{path}: signed by {found.public_key[:16]}..., who is not among recipes.signers: have "
            "it signed by one of them, or add this key"
        )
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.public_key)).verify(
            bytes.fromhex(found.signature), _message(manifest, found.not_after_utc)
        )
    except (InvalidSignature, ValueError) as error:
        raise RecipeError(
            f"{path}: does not fit manifest.json, the recipe was altered after it was signed: "
            "copy it again from where it was made"
        ) from error
    if found.not_after_utc is not None and now_utc > found.not_after_utc:
        raise RecipeError(
            f"{path}: expired on {found.not_after_utc:%Y-%m-%d %H:%M} UTC: have it signed again"
        )
    return found


def _read(path: Path) -> Signature:
    try:
        text = read_regular(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path}: missing, the recipe is not signed: voxgate sign {path.parent} --key FILE"
        ) from error
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}: copy the recipe again") from error
    try:
        return Signature.model_validate_json(text)
    except ValidationError as error:
        raise RecipeError(
            f"{path}: {first_finding(error)}: have the recipe signed again"
        ) from error


def _message(manifest: bytes, not_after_utc: datetime | None) -> bytes:
    until = "" if not_after_utc is None else not_after_utc.isoformat()
    return PURPOSE + hashlib.sha256(manifest).digest() + until.encode()
