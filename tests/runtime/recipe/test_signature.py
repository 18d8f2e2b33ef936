"""Only recipes that a trusted person answers for are opened, and only as they were signed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kits import tiny
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.errors import KeyFileError, RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.signature import SIGNATURE_FILE, Signature, Trust, sign, write_signature
from voxgate.runtime.wire.keys import load_signer, make_signer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = datetime.now(tz=timezone.utc)
TRUST = Trust({KEY.public_key().public_bytes_raw().hex(): "quality"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tiny" / "1"
    write_recipe(path, tiny.parts())
    return path


def signed(folder: Path, key: Ed25519PrivateKey = KEY, until: datetime | None = None) -> Path:
    write_signature(folder, sign((folder / MANIFEST_FILE).read_bytes(), key, until))
    return folder


def test_a_signed_recipe_is_opened(folder: Path) -> None:
    recipe = Recipe.load(signed(folder, until=NOW + timedelta(days=1)), TRUST)
    assert recipe.signature is not None
    assert recipe.signature.public_key in TRUST.signers


def test_an_unsigned_recipe_is_refused_with_what_to_type(folder: Path) -> None:
    with pytest.raises(RecipeError, match="voxgate sign"):
        Recipe.load(folder, TRUST)


def test_an_unsigned_recipe_is_opened_only_where_that_is_allowed(folder: Path) -> None:
    assert Recipe.load(folder, Trust(allow_unsigned=True)).signature is None
    with pytest.raises(RecipeError, match="missing"):
        Recipe.load(folder, Trust())


def test_a_strangers_signature_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"not among recipes\.signers"):
        Recipe.load(signed(folder, OTHER), TRUST)


def test_a_strangers_signature_under_a_trusted_name_is_refused(folder: Path) -> None:
    found = sign((folder / MANIFEST_FILE).read_bytes(), OTHER, None)
    forged = found.model_copy(update={"public_key": next(iter(TRUST.signers))})
    write_signature(folder, forged)
    with pytest.raises(RecipeError, match="altered"):
        Recipe.load(folder, TRUST)


def test_an_expired_recipe_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match="expired on"):
        Recipe.load(signed(folder, until=NOW - timedelta(seconds=1)), TRUST)


def test_nobody_but_the_signer_prolongs_it(folder: Path) -> None:
    signed(folder, until=NOW - timedelta(days=1))
    path = folder / SIGNATURE_FILE
    longer = json.loads(path.read_text()) | {"not_after_utc": "2099-01-01T00:00:00Z"}
    path.write_text(json.dumps(longer))
    with pytest.raises(RecipeError, match="altered"):
        Recipe.load(folder, TRUST)


def test_one_changed_byte_of_the_manifest_is_noticed_before_it_is_parsed(folder: Path) -> None:
    signed(folder)
    path = folder / MANIFEST_FILE
    path.write_bytes(path.read_bytes() + b"{")  # no JSON any more
    with pytest.raises(RecipeError, match="altered"):
        Recipe.load(folder, TRUST)


def test_a_changed_model_with_a_changed_manifest_is_noticed(folder: Path) -> None:
    signed(folder)
    other = tiny.parts(model=tiny.nan_model())
    write_recipe(folder.with_name("2"), other)
    for name in (MANIFEST_FILE, "model.onnx"):
        (folder / name).write_bytes((folder.with_name("2") / name).read_bytes())
    with pytest.raises(RecipeError, match="altered"):
        Recipe.load(folder, TRUST)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 10, b"[" * 3000, b" " * 5000])
def test_a_file_that_is_no_signature_is_one_line(folder: Path, content: bytes) -> None:
    (folder / SIGNATURE_FILE).write_bytes(content)
    with pytest.raises(RecipeError, match=SIGNATURE_FILE) as found:
        Recipe.load(folder, TRUST)
    assert "\n" not in str(found.value)


def test_a_signature_needs_a_time_zone(folder: Path) -> None:
    found = json.loads(sign(b"", KEY, None).model_dump_json())
    with pytest.raises(ValueError, match="timezone"):
        Signature.model_validate(found | {"not_after_utc": "2099-01-01T00:00:00"})


@pytest.mark.parametrize("passphrase", [None, "a long one"])
def test_a_signing_key_signs_what_its_public_key_verifies(
    folder: Path, tmp_path: Path, passphrase: str | None
) -> None:
    path, public = make_signer(tmp_path / "keys", "quality", passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    signed(folder, load_signer(path, passphrase))
    assert Recipe.load(folder, Trust({public: "quality"})).signature is not None


def test_a_wrong_passphrase_is_told(tmp_path: Path) -> None:
    path, _ = make_signer(tmp_path, "quality", "right")
    with pytest.raises(KeyFileError, match="passphrase is another"):
        load_signer(path, "wrong")
    with pytest.raises(KeyFileError, match="needs its passphrase"):
        load_signer(path, None)
