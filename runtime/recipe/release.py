"""Which versions of a recipe its signers have taken back: a signed file beside the versions.

A signature says that somebody answered for a version once. Whoever can move folders about could
bring an old one back; this says from which version on, and which ones never again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.labels import Name, Version
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.signature import Trust, write_signed

RELEASE_FILE = "RELEASE.json"
MAX_BYTES = 64 * 1024
PURPOSE = b"voxgate release 1\n"  # a signature for anything else is none for a release


class Release(BaseModel):
    """The file RELEASE.json of one recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    recipe: Name
    minimum: Version | None = None
    revoked: tuple[Version, ...] = Field(default=(), max_length=1000)
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]

    def check(self, recipe: str, version: str) -> None:
        """Raises RecipeError for a version that may not serve any more."""
        if recipe != self.recipe:
            raise RecipeError(f"{RELEASE_FILE} of recipe {recipe}: is of recipe {self.recipe}")
        if version in self.revoked:
            raise RecipeError(f"recipe {recipe}/{version}: was revoked by its signer")
        if self.minimum is not None and natural(version) < natural(self.minimum):
            raise RecipeError(
                f"recipe {recipe}/{version}: its signer allows none before {self.minimum}"
            )


def sign_release(
    recipe: str, minimum: str | None, revoked: tuple[str, ...], key: Ed25519PrivateKey
) -> Release:
    """By the owner of `key`."""
    return Release(
        recipe=recipe,
        minimum=minimum,
        revoked=revoked,
        public_key=key.public_key().public_bytes_raw().hex(),
        signature=key.sign(_message(recipe, minimum, revoked)).hex(),
    )


def write_release(folder: Path, release: Release) -> None:
    """Beside the versions, in one step. Raises RecipeError when it cannot be written."""
    write_signed(folder / RELEASE_FILE, release)


def read_release(folder: Path, trust: Trust) -> Release | None:
    """Of the recipe in `folder`, by one of the signers; None: there is no such file.

    Raises RecipeError for one that is damaged, or by nobody who is trusted.
    """
    path = folder / RELEASE_FILE
    try:
        found = Release.model_validate_json(read_regular(path, MAX_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise RecipeError(f"{path}: {first_finding(error)}: have it signed again") from error
    if trust.signers and found.public_key not in trust.signers:
        raise RecipeError(f"{path}: signed by nobody who is among recipes.signers")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.public_key)).verify(
            bytes.fromhex(found.signature), _message(found.recipe, found.minimum, found.revoked)
        )
    except (InvalidSignature, ValueError) as error:
        raise RecipeError(
            f"{path}: was altered after it was signed: have it signed again"
        ) from error
    return found


def natural(version: str) -> list[tuple[int, str]]:
    """A key that puts 10 after 9."""
    return [
        (int(piece), "") if piece.isdigit() else (-1, piece)
        for piece in re.split(r"([0-9]+)", version)
    ]


def _message(recipe: str, minimum: str | None, revoked: tuple[str, ...]) -> bytes:
    return PURPOSE + "\n".join([recipe, minimum or "", *revoked]).encode()
