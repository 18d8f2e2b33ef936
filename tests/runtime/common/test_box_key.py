"""The box's key: one for a journal, never two, never one that others read."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.cell_kit import write_cell
from voxgate.runtime.cli import app
from voxgate.runtime.common.trusted.box_key import CREDENTIALS, key_beside, load, load_or_make
from voxgate.runtime.errors import ServiceError


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Its place; it need not be there."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state/journal.sqlite"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As systemd hands them to a service."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv(CREDENTIALS, str(folder))
    return folder


def test_the_key_that_was_sealed_goes_on_signing(journal: Path, credentials: Path) -> None:
    before = load_or_make(journal)
    key_beside(journal).rename(credentials / "box.key")
    sealed = load_or_make(journal)
    assert sealed.private_bytes_raw() == before.private_bytes_raw()
    assert not key_beside(journal).exists(), "a second key was made beside the sealed one"


def test_a_sealed_key_whose_copy_lies_on_the_disk_is_no_secret(
    journal: Path, credentials: Path
) -> None:
    load_or_make(journal)
    (credentials / "box.key").write_bytes(key_beside(journal).read_bytes())
    with pytest.raises(ServiceError, match=f"{key_beside(journal)}: its sealed copy serves"):
        load(journal)


def test_a_check_promises_a_start_that_the_key_refuses(folder: Path, credentials: Path) -> None:
    cell = write_cell(folder)
    load_or_make(folder / "journal.sqlite")
    (credentials / "box.key").write_bytes(key_beside(folder / "journal.sqlite").read_bytes())
    said = CliRunner().invoke(app, ["check", str(cell)])
    assert said.exit_code == 2
    assert "its sealed copy serves" in said.output


def test_a_service_with_other_credentials_has_its_key_beside_the_journal(
    journal: Path, credentials: Path
) -> None:
    (credentials / "metrics.password").write_text("x")
    assert load(journal) is None
    load_or_make(journal)
    assert key_beside(journal).exists()
