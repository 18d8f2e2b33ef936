"""The page's user: what it needs it reads, and the box's secret is not among it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.needs import needs_installer
from tests.kits.repository import ROOT
from tests.kits.unit import values
from voxgate.runtime.wire.curve import load_key_pair, public_key_of
from voxgate.runtime.wire.keys import make_key_pair

UNIT = ROOT / "systemd/voxgate-page@.service"
SERVICE_GROUP, PAGE = 61184, 61185
TELLS = """
import sys
from pathlib import Path
from voxgate.runtime.wire.curve import load_key_pair, public_key_of
secret, own = map(Path, sys.argv[1:])
print(public_key_of(secret, beside=own).decode(), load_key_pair(own).public.decode())
secret.read_bytes()
"""


@pytest.fixture
def keys() -> Iterator[Path]:
    """As the pages say: the box's pair, and the page's own beside a copy of the public half."""
    folder = Path(tempfile.mkdtemp(prefix="vg-", dir="/var/lib"))
    folder.chmod(0o755)
    (folder / "page").mkdir()
    make_key_pair(folder, "box")
    make_key_pair(folder / "page", "page")
    shutil.copy(folder / "box.key", folder / "page")
    yield folder
    shutil.rmtree(folder)


@needs_installer
def test_the_page_opens_the_boxs_secret_to_learn_its_public_key(keys: Path) -> None:
    os.chown(keys / "box.key_secret", 0, SERVICE_GROUP)
    os.chown(keys / "page/page.key_secret", 0, PAGE)
    (keys / "page/page.key_secret").chmod(0o640)
    as_page = ("setpriv", f"--reuid={PAGE}", f"--regid={PAGE}", "--clear-groups")
    told = subprocess.run(
        [
            *as_page,
            sys.executable,
            "-c",
            TELLS,
            keys / "box.key_secret",
            keys / "page/page.key_secret",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    box, own = (load_key_pair(keys / name) for name in ("box.key_secret", "page/page.key_secret"))
    assert told.stdout.split() == [box.public.decode(), own.public.decode()], told.stderr
    assert "PermissionError" in told.stderr, "it could have read it"


def test_a_cell_from_before_there_was_a_public_file_is_not_reached(keys: Path) -> None:
    for file in (keys / "box.key", keys / "page/box.key"):
        file.unlink()
    secret = keys / "box.key_secret"
    assert (
        public_key_of(secret, beside=keys / "page/page.key_secret") == load_key_pair(secret).public
    )


def test_the_unit_shows_the_page_more_keys_than_its_own() -> None:
    assert values(UNIT, "TemporaryFileSystem") == ["/etc/voxgate/keys:ro"]
    assert values(UNIT, "BindReadOnlyPaths") == ["-/etc/voxgate/keys/page"]
    assert values(UNIT, "User") == ["voxgate-page"]
    assert values(UNIT, "ProtectSystem") == ["strict"]
    assert values(UNIT, "StateDirectory") == ["voxgate-page"], "it could write the cell's folder"
