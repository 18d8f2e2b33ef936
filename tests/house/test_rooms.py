"""The house stays one a person finds their way in: small rooms, short modules, one name outside."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.kits.repository import ROOT

WINGS = ("runtime", "export", "calib", "sim", "benchmarks")
MOST_MODULES = 16
MOST_LINES = 350


def modules(*tops: str) -> list[Path]:
    return [file for top in tops for file in sorted((ROOT / top).rglob("*.py"))]


def named(files: list[Path]) -> set[str]:
    return {file.relative_to(ROOT).as_posix() for file in files}


def test_a_room_is_too_full_to_find_a_module_in() -> None:
    rooms = Counter(file.parent for file in modules(*WINGS) if file.name != "__init__.py")
    assert {str(room) for room, count in rooms.items() if count > MOST_MODULES} == set()


def test_a_module_is_longer_than_a_person_reads() -> None:
    files = modules(*WINGS)
    assert named([f for f in files if len(f.read_bytes().splitlines()) > MOST_LINES]) == set()


def test_a_room_does_something_when_it_is_entered() -> None:
    rooms = [file for file in modules(*WINGS) if file.name == "__init__.py"]
    assert named([file for file in rooms if not _is_charter(file)]) == set()


def _is_charter(file: Path) -> bool:
    tree = ast.parse(file.read_bytes())
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def test_a_module_is_imported_by_a_name_that_an_installed_one_does_not_have() -> None:
    """Ruff bans the bare names too; a string given to -c or -m it does not see."""
    bare = [f"{word} {wing}." for word in ("import", "from") for wing in WINGS]
    files = modules(*WINGS, "tests")
    found = [
        f for f in files if f != Path(__file__) and any(b in f.read_text("utf-8") for b in bare)
    ]
    assert named(found) == set()


# --- what is installed ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def in_git() -> set[str]:
    """The package's files as git has them, below `voxgate/`."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone: apt-get install git")
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *WINGS]
    said = subprocess.run(ask, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = {name for name in said.splitlines() if (ROOT / name).exists()}
    return {"voxgate/__init__.py", *(f"voxgate/{name}" for name in files)}


def test_a_wheel_claims_another_name_or_lacks_a_file(built: Path, in_git: set[str]) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == in_git


def test_an_sdist_lacks_a_file_that_a_wheel_has(built: Path, in_git: set[str]) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
    (top,) = {name.partition("/")[0] for name in names}
    below = f"{top}/packaging/"
    assert {n.removeprefix(below) for n in names if n.startswith(below)} == in_git
