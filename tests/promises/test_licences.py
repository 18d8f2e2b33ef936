"""What the box installs may be installed: every package's licence is known and named.

`python -m tests.promises.test_licences > docs/licences.md` writes the list anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")

from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.kits.repository import ROOT

LIST = ROOT / "docs/licences.md"
WRITE = "python -m tests.promises.test_licences > docs/licences.md"
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|Zlib|CC0|PSF|Python Software Foundation|MPL|Unlicense|HPND)\b"
)
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)\b")
KNOWN = {
    "asyncua": "LGPL-3.0-or-later: a package of its own, unchanged, that anybody may replace",
    "genicam": "GenICam licence (EMVA): use and redistribution of the unchanged binaries",
    "openexr": "BSD-3-Clause",  # in its LICENSE.md; its metadata is empty
}
BUNDLED = """
Wheels bring libraries of their own: libzmq (MPL-2.0) and libsodium (ISC) in pyzmq, FFmpeg (LGPL,
a shared library) in opencv-python-headless, OpenBLAS (BSD-3-Clause) and the GCC runtime (GPL-3.0
with the runtime exception) in numpy and scipy, the GenICam reference implementation (EMVA) in
genicam, LLVM (Apache-2.0 with exceptions) in llvmlite, OpenSSL (Apache-2.0) in cryptography.

asyncua and what it needs are for `voxgate opcua` alone (the extra `opcua`): everything else runs
without it.
"""


def packages() -> dict[str, Distribution]:
    """Everything that `pip install voxgate[opcua]` brings on this machine, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, Distribution] = {}
    waiting = project["dependencies"] + project["optional-dependencies"]["opcua"]
    while waiting:
        needed = Requirement(waiting.pop())
        environment: Any = {**default_environment(), "extra": ""}
        if needed.marker is not None and not needed.marker.evaluate(environment):
            continue
        name = re.sub(r"[-_.]+", "-", needed.name).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform
        waiting += found[name].requires or []
    return dict(sorted(found.items()))


def licence(name: str, package: Distribution) -> str:
    """As the package says itself, in one line."""
    if name in KNOWN:
        return KNOWN[name]
    said = package.metadata
    expression = said.get_all("License-Expression", [])
    classes = [c.rpartition(" :: ")[2] for c in said.get_all("Classifier", []) if "License" in c]
    words = [text.strip().partition("\n")[0] for text in said.get_all("License", [])]
    return "; ".join(expression or classes or words)


def table() -> Iterator[str]:
    """The lines of docs/licences.md."""
    yield "# Licences of what the box installs\n"
    yield "VoxGate itself: Apache-2.0. Written by `python -m tests.promises.test_licences`.\n"
    yield "| package | licence |\n|---|---|"
    for name, package in packages().items():
        yield f"| {name} | {licence(name, package)} |"
    yield BUNDLED.rstrip()


@pytest.mark.parametrize("name", packages())
def test_its_licence_is_known_and_not_copyleft(name: str) -> None:
    said = licence(name, packages()[name])
    assert name in KNOWN or PERMISSIVE.search(said), f"{name}: {said!r}: look at it, then list it"
    assert not COPYLEFT.search(said)


def test_the_list_names_every_package() -> None:
    listed = LIST.read_text(encoding="utf-8")
    for name in packages():
        assert f"| {name} |" in listed, f"type: {WRITE}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
