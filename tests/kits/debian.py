"""The Debian package, and a fresh Debian 12 that it is installed on.

    with tree(folder) as root: ...    a copy that is thrown away

The tree is made by debootstrap from where this machine's apt gets its packages, kept in
${XDG_CACHE_HOME:-~/.cache}/voxgate-ci and made again when what the package depends on changes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kits.needs import has, may_unshare, needs
from tests.kits.repository import ROOT

BUILD = ROOT / "packaging/deb/build"
LOCK = ROOT / "requirements-box.lock"
SUITE, PYTHON = "bookworm", "3.11"
KIT = "iproute2"  # of tests/kits/booted.py
BILLED = (ROOT / ".venv-sbom/bin/python").exists()

needs_dpkg = needs(has("dpkg-deb"), "dpkg-deb: apt-get install dpkg")
needs_lintian = needs(has("lintian"), "lintian: apt-get install lintian")
needs_bill = needs(BILLED, "the maker of bills of materials: make .venv-sbom/.ready")
needs_fresh_debian = needs(
    has("debootstrap", "dpkg-deb") and may_unshare("--pid --fork --cgroup --net"),
    "root, its right to make namespaces, debootstrap: apt-get install debootstrap",
)


def build(to: Path, lock: Path = LOCK, machine: str = "x86_64", **told: str) -> Path:
    """A package, quickly compressed; told: variables of packaging/deb/build."""
    command = [str(word) for word in (BUILD, lock, told.pop("python", PYTHON), machine, to)]
    environment = {**os.environ, "COMPRESS": "gzip", **told}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (package,) = to.glob("voxgate_*.deb")
    return package


def unpacked(package: Path, to: Path) -> Path:
    """Its files, and its control files in DEBIAN."""
    subprocess.run(["dpkg-deb", "-R", str(package), str(to)], check=True)
    return to


def field(package: Path, name: str) -> str:
    """One of its control file."""
    ask = ["dpkg-deb", "-f", str(package), name]
    return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()


def later(package: Path, folder: Path, version: str) -> Path:
    """The same under a later version, which its command says."""
    root = unpacked(package, folder / "root")
    control = root / "DEBIAN/control"
    said = re.sub(r"^Version: .*", f"Version: {version}", control.read_text("utf-8"), flags=re.M)
    control.write_text(said, "utf-8")
    (own,) = root.glob("usr/lib/voxgate/lib/python3.*/site-packages/voxgate/__init__.py")
    text = own.read_text("utf-8")
    own.write_text(re.sub(r"__version__ = .*", f'__version__ = "{version}"', text), "utf-8")
    made = folder / f"voxgate_{version}_amd64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(root)
    return made


def depends(package: Path) -> list[str]:
    """The first that serves of each that it depends on."""
    return [each.split()[0] for each in field(package, "Depends").split(",")]


def fresh(packages: Sequence[str], to: Path) -> Path:
    """A Debian 12 with these, as nobody has used it; `to` is not there yet."""
    wanted = ",".join(sorted({*packages, KIT}))
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "voxgate-ci"
    tree = cache / f"{SUITE}-deb"
    made_of = tree / ".made_of"
    if not made_of.exists() or made_of.read_text() != wanted:
        shutil.rmtree(tree, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        make = ["debootstrap", "--variant=minbase", f"--include={wanted}", SUITE]
        subprocess.run([*make, str(tree), mirror()], check=True, stdout=sys.stderr)
        made_of.write_text(wanted)
    subprocess.run(["cp", "-a", str(tree), str(to)], check=True)
    return to


def mirror() -> str:
    """Where this machine's apt gets the suite from."""
    form = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    ask = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [line.split()[2] for line in lines if line.startswith(f"{SUITE} main ")]
    if not found:
        pytest.skip(f"needs {SUITE} in this machine's sources of apt")
    return found[0]


def inside(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """The command in that tree, where no systemd runs and no network is."""
    script = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"'
    whole = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--net"]
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    shell = [*whole, "sh", "-ec", script, str(root), *command]
    return subprocess.run(shell, env=clean, capture_output=True, text=True, check=False)
