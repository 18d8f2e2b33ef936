"""Install, upgrade, roll back and uninstall touch their own files and nothing else."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kits.needs import needs_installer
from tests.kits.repository import ROOT
from tests.kits.stub_wheel import locked, wheel

SCRIPT = ROOT / "systemd/install.sh"
OWN = {
    "etc/systemd/system/voxgate.service",
    "etc/systemd/system/voxgate@.service",
    "etc/systemd/system/voxgate-camera.socket",
    "etc/systemd/system/voxgate-camera@.service",
    "etc/systemd/system/voxgate-page@.service",
    "etc/systemd/system/voxgate-mqtt@.service",
    "etc/systemd/system/voxgate-opcua@.service",
    "etc/sysusers.d/voxgate.conf",
    "etc/tmpfiles.d/voxgate.conf",
}
ACCOUNTS = {"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/.pwd.lock"}

pytestmark = needs_installer


def lock_rtx(stage: Path) -> None:
    """What stands in for TensorRT for RTX and cuda-bindings joins the lock."""
    lock, folder = locked(stage.parent)
    path = wheel(folder, "1", name="tensorrt_rtx_bindings")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("tensorrt_rtx_bindings/__init__.py", "")
        archive.writestr("cuda/bindings/__init__.py", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with lock.open("a") as file:
        file.write(f"tensorrt_rtx_bindings==1 --hash=sha256:{digest}\n")


def install(stage: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    lock, wheels = locked(stage.parent)
    own = {"LOCK": str(lock), "WHEELS": str(wheels)}
    return subprocess.run(
        [SCRIPT, *arguments],
        env={**os.environ, **own, "DESTDIR": str(stage), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def files(stage: Path) -> set[str]:
    """All but what lies inside a version."""
    found = {path.relative_to(stage) for path in stage.rglob("*") if not path.is_dir()}
    return {str(path) for path in found if path.parts[:2] != ("opt", "voxgate")}


def current(stage: Path) -> str:
    return str((stage / "opt/voxgate/current").readlink())


@pytest.mark.nightly
def test_a_box_from_install_to_uninstall(tmp_path: Path) -> None:
    """One test: every version that is installed takes a virtual environment, some seconds."""
    stage = tmp_path / "stage"
    other = stage / "etc/systemd/system/other.service"
    other.parent.mkdir(parents=True)
    other.write_text("[Service]\n")
    strange = {str(other.relative_to(stage))}
    done = install(stage, wheel(tmp_path, "1.0.0"))
    assert done.returncode == 0, done.stderr
    assert current(stage) == "1.0.0"
    assert files(stage) - ACCOUNTS == OWN | strange
    assert "voxgate" in (stage / "etc/passwd").read_text()
    command = (stage / "opt/voxgate/current/bin/voxgate").read_text()
    assert command.startswith("#!/opt/voxgate/1.0.0/bin/python")
    assert str(stage) not in command
    assert (stage / "opt/voxgate/1.0.0/kernels").is_dir(), "else numba asks the service's home"

    done = install(stage, "--rollback")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no version before" in done.stderr

    broken = tmp_path / "voxgate-2.0.0-py3-none-any.whl"
    broken.write_bytes(b"half a whe")
    assert install(stage, broken).returncode != 0
    assert current(stage) == "1.0.0"
    assert sorted(path.name for path in (stage / "opt/voxgate").iterdir()) == ["1.0.0", "current"]

    assert install(stage, wheel(tmp_path, "1.1.0")).returncode == 0
    assert current(stage) == "1.1.0"
    assert install(stage, "--rollback").returncode == 0
    assert current(stage) == "1.0.0"
    assert install(stage, "--rollback").returncode == 0
    assert current(stage) == "1.1.0"

    assert install(stage, wheel(tmp_path, "1.1.0")).returncode == 0
    assert install(stage, "--rollback").returncode == 0, "a version once more"
    assert current(stage) == "1.0.0"

    wants = stage / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    beside = [f"voxgate-{name}@voxgate.service" for name in ("page", "mqtt", "opcua")]
    for name in ("voxgate.service", "voxgate@left.service", *beside, "other.service"):
        unit = name if "@" not in name else f"{name.partition('@')[0]}@.service"
        (wants / name).symlink_to(f"/etc/systemd/system/{unit}")
        if name != "other.service":
            (drop_in := stage / f"etc/systemd/system/{unit}.d/own.conf").parent.mkdir(exist_ok=True)
            drop_in.write_text("[Service]\n")
    strange.add("etc/systemd/system/multi-user.target.wants/other.service")
    config = stage / "etc/voxgate/voxgate.yaml"
    config.write_text("schema_version: 1\n")
    assert install(stage, "--uninstall").returncode == 0
    left = files(stage) - ACCOUNTS
    assert {file for file in left if ".service.d/" not in file} == {
        "etc/voxgate/voxgate.yaml",
        *strange,
    }
    assert not (stage / "opt/voxgate").exists()
    assert install(stage, "--uninstall", "--purge").returncode == 0
    assert files(stage) - ACCOUNTS == strange
    for name in ("passwd", "group", "shadow", "gshadow"):
        assert "voxgate" not in (stage / "etc" / name).read_text()


@pytest.mark.nightly
def test_the_only_version_is_installed_again_and_there_is_no_way_back(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    for said in ("old", "newer", "newest"):
        assert install(stage, wheel(tmp_path, "1.0.0", said)).returncode == 0
    assert current(stage) == "1.0.0"
    assert _says(stage) == "newest"
    assert install(stage, "--rollback").returncode == 0
    assert _says(stage) == "newer"
    command = (stage / "opt/voxgate/current/bin/voxgate").read_text()
    assert command.startswith(f"#!/opt/voxgate/{current(stage)}/bin/python")
    assert install(stage, "--rollback").returncode == 0
    assert _says(stage) == "newest"


def _says(stage: Path) -> str:
    (module,) = (stage / "opt/voxgate" / current(stage)).glob("lib/*/site-packages/voxgate_stub.py")
    return module.read_text().split('"')[1]


@pytest.mark.nightly
def test_root_installs_another_package_than_the_lock_names(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    lock, _ = locked(stage.parent)
    lock.write_text(f"needed==1 --hash=sha256:{'0' * 64}\n")
    done = install(stage, wheel(tmp_path, "1.0.0"))
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert _last_words(done) == _no_wheel(lock)
    (lock.parent / "needed-1-py3-none-any.whl").unlink()
    assert _last_words(install(stage, wheel(tmp_path, "1.0.0"))) == _no_wheel(lock)
    assert not (stage / "opt/voxgate/current").exists()
    lock.write_text("needed==1\n")
    assert install(stage, wheel(tmp_path, "1.0.0")).returncode != 0, "a lock without hashes"
    assert [*(stage / "opt/voxgate").iterdir()] == []


def _no_wheel(lock: Path) -> str:
    python = platform.python_version()
    return (
        f"voxgate: {lock.parent} does not give what {lock} names by its hash for this processor "
        f"and Python {python} (pip says which, above): pack it again, make wheelhouse. Nothing was "
        "changed"
    )


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    return done.stderr.splitlines()[-1]


@pytest.mark.nightly
def test_a_box_for_an_rtx_card_is_served_without_its_tensorrt(tmp_path: Path) -> None:
    """Neither the first time, nor after an upgrade that nobody told of the card."""
    stage, card = tmp_path / "stage", ("--with", "tensorrt-rtx")
    _, folder = locked(stage.parent)
    first, second = wheel(tmp_path, "1.0.0"), wheel(tmp_path, "1.1.0")
    done = install(stage, *card, first)
    assert done.returncode == 2
    assert "TensorRT for RTX does not load" in done.stderr
    assert [*(stage / "opt/voxgate").iterdir()] == []
    lock = locked(stage.parent)[0].read_text()
    lock_rtx(stage)
    done = install(stage, *card, "--wheelhouse", folder, first)
    assert done.returncode == 0, done.stderr
    assert "is current, with tensorrt-rtx" in done.stdout
    assert install(stage, second).returncode == 0
    assert (current(stage), (stage / "opt/voxgate/with").read_text()) == ("1.1.0", "tensorrt-rtx\n")
    locked(stage.parent)[0].write_text(lock)
    assert install(stage, wheel(tmp_path, "1.2.0")).returncode == 2
    assert current(stage) == "1.1.0"
    assert install(stage, "--with", "none", wheel(tmp_path, "1.2.0")).returncode == 0
    assert not (stage / "opt/voxgate/with").exists()


@pytest.mark.nightly
def test_an_upgrade_builds_a_plan_that_nobody_asked_for(tmp_path: Path) -> None:
    """Of each cell, and of what is current; asked, and only then."""
    stage = tmp_path / "stage"
    done = install(stage, "--rebuild-plans")
    assert done.returncode == 2
    assert "nothing is installed" in done.stderr
    done = install(stage, wheel(tmp_path, "1.0.0"))
    cells = [stage / f"etc/voxgate/voxgate{name}.yaml" for name in ("", "@left")]
    for cell in cells:
        cell.write_text("schema_version: 1\n")
    assert "--rebuild" not in done.stdout + install(stage, wheel(tmp_path, "1.1.0")).stdout
    done = install(stage, "--rebuild-plans")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if "--rebuild" in line]
    assert told == [f"voxgate build --rebuild -c {cell}" for cell in cells]
    (module,) = (stage / "opt/voxgate/1.1.0").glob("lib/*/site-packages/voxgate_stub.py")
    module.write_text("def main():\n    raise SystemExit(2)\n")
    done = install(stage, "--rebuild-plans")
    assert done.returncode == 2
    assert f"not built: {cells[0]} {cells[1]}" in done.stderr


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_box_without_an_index_gets_no_tensorrt_for_rtx(tmp_path: Path) -> None:
    """The genuine wheels, packed as the page says, on a network where nobody answers."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (own,) = tmp_path.glob("voxgate-*.whl")
    lock, house, stage = ROOT / "requirements-rtx.lock", tmp_path / "house", tmp_path / "stage"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pack = [ROOT / ".ci/wheelhouse", lock, python, platform.machine(), house]
    subprocess.run([str(word) for word in pack], check=True, capture_output=True)
    done = subprocess.run(
        ["unshare", "--net", SCRIPT, "--with", "tensorrt-rtx", "--wheelhouse", house, own],
        env={"PATH": os.environ["PATH"], "DESTDIR": str(stage), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is current, with tensorrt-rtx" in done.stdout
    ask = "import tensorrt_rtx_bindings as trt; print(trt.Builder(trt.Logger()).num_DLA_cores)"
    installed = stage / "opt/voxgate/current/bin/python"
    said = subprocess.run([installed, "-I", "-c", ask], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["0"], "its builder starts, and an RTX card has no DLA"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--with", "vulkan"), "--with vulkan: say tensorrt-rtx"),
        (("--with",), "--with needs a value"),
        (("--wheelhouse", "nowhere"), "nowhere: no such folder of wheels"),
    ],
)
def test_a_mistaken_option_installs_something(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = install(tmp_path / "stage", *options, wheel(tmp_path, "1.0.0"))
    if options == ("--with",):
        done = install(tmp_path / "stage", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "stage").exists()


@pytest.mark.parametrize(
    ("python", "machine", "words"),
    [
        ("3.10", "arm64", "arm64: say x86_64 or aarch64, as `uname -m` does on the box"),
        ("3.9", "aarch64", "3.9: say 3.10 or newer, as `python3 -V` does on the box"),
        ("310", "aarch64", "310: say 3.10 or newer, as `python3 -V` does on the box"),
    ],
)
def test_wheels_are_asked_for_a_box_that_is_not_served(
    python: str, machine: str, words: str, tmp_path: Path
) -> None:
    pack = [
        ROOT / ".ci/wheelhouse",
        ROOT / "requirements-rtx.lock",
        python,
        machine,
        tmp_path / "w",
    ]
    done = subprocess.run([str(word) for word in pack], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"{words}\n")
    assert not (tmp_path / "w").exists()


def test_root_asks_an_index_for_what_no_lock_names() -> None:
    pip = [line for line in SCRIPT.read_text("utf-8").splitlines() if "from_lock " in line]
    calls = [line.split("#")[0] for line in pip if '"$draft' in line]
    assert len(calls) == 2
    assert all("--require-hashes" in line or "--no-deps" in line for line in calls)
    assert "-m pip install" in SCRIPT.read_text("utf-8").split("from_lock()")[1].split("}")[0]
    assert SCRIPT.read_text("utf-8").count("pip install") == 2, "one is the comment above it"


def test_the_boxs_lock_names_what_the_tests_did_not_run_with() -> None:
    ours, tested = (
        set(re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements-box.lock", "requirements.lock")
    )
    assert ours
    assert ours <= tested


def test_the_lock_for_rtx_names_more_than_that_and_tensorrt() -> None:
    box, rtx, tested = (
        set(re.findall(r"^([\w.-]+)==[\w.]+", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements-box.lock", "requirements-rtx.lock", "requirements.lock")
    )
    assert rtx - tested == {"tensorrt-rtx-cu13-bindings", "tensorrt-rtx-cu13-libs"}
    assert rtx - box - tested == rtx - tested
    assert {"cuda-bindings", "nvidia-cuda-nvrtc"} <= rtx


def test_a_wheel_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = install(tmp_path / "stage", tmp_path / "nowhere.whl")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "stage").exists()
