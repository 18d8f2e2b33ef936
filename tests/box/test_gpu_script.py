"""`.ci/gpu`, for a machine with a GPU that is lent for minutes: nothing may be missing there.

The card is named by a stub of nvidia-smi, the lowest thing that can: all behind it is real, and
ends where the driver is asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits import needs
from tests.kits.repository import ROOT

LOCKS = ("requirements.lock", "requirements-rtx.lock")


def with_card(folder: Path, script: str) -> dict[str, str]:
    """An environment whose nvidia-smi is this shell script."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_a_machine_without_a_driver_is_told_a_traceback(tmp_path: Path) -> None:
    broken = with_card(tmp_path, "echo 'NVIDIA-SMI has failed' >&2; exit 9")
    before = {*(ROOT / "benchmarks" / "results").iterdir()}
    done = subprocess.run([ROOT / ".ci/gpu"], env=broken, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("no NVIDIA GPU is here, or its driver does not answer")
    assert len(done.stderr.splitlines()) == 1
    assert {*(ROOT / "benchmarks" / "results").iterdir()} == before


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@needs.needs(needs.may_unshare("--net"), needs.NAMESPACES)
def test_the_tree_and_carried_wheels_do_not_come_to_the_card(tmp_path: Path) -> None:
    """On a network where nobody answers: doctor, tests and figures run, and each says what is
    missing there, the driver alone."""
    tree, wheels = tmp_path / "tree", tmp_path / "wheels"
    subprocess.run(["git", "clone", "--quiet", ROOT, tree], check=True)
    locks = [word for lock in LOCKS for word in ("-r", str(ROOT / lock))]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", *locks, "--dest", str(wheels)]
    subprocess.run(pip, check=True, capture_output=True)
    card = with_card(tmp_path, "echo 'NVIDIA Stub Card, 8.9, 580.00'")
    done = subprocess.run(
        ["unshare", "--net", tree / ".ci/gpu"],
        env={**card, "WHEELS": str(wheels), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    report = (tree / "benchmarks/results/nvidia-stub-card.txt").read_text()
    assert report in done.stdout
    assert report.startswith("NVIDIA Stub Card, 8.9, 580.00, ")
    assert "no NVIDIA GPU is here: the NVIDIA driver is missing (no libcuda.so.1)" in report
    assert "ModuleNotFoundError" not in report
    assert "not ended after" not in report
    assert "upload" in report.partition("gpu: the GPU path stage by stage")[2]
