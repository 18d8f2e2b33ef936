"""The sandbox of a unit in systemd/ without systemd.

    unshare --mount --propagation private python -m tests.kits.sandbox UNIT FOLDER -- COMMAND

As root. A unit with DynamicUser= gets a user that no other process has, any other nobody.

Takes the directives from the unit itself and applies them to COMMAND: system calls and address
families (seccomp), the read-only file system, private /tmp and /dev, no home, no capability,
another user, no new privileges. FOLDER stands for the state directory, the one place that may be
written. Not applied: cgroup rules (DeviceAllow, IPAddressAllow) and what only takes away the right
to gain rights.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.kits.repository import ROOT

NOBODY = 65534
DYNAMIC = range(61184, 65520)  # systemd.exec(5), DynamicUser=
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
KEPT = (Path(sys.base_prefix), Path(sys.prefix), ROOT)
HIDDEN = {"/tmp": "1777", "/var/tmp": "1777", "/root": "755", "/home": "755"}
UNKNOWN = -1  # a system call that this architecture does not have


def directives(unit: Path) -> dict[str, list[str]]:
    """Key -> values in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        key, given, value = line.partition("=")
        if given and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def system_calls(filters: list[str]) -> set[str]:
    """What SystemCallFilter= lets through; its first line is an allow-list."""
    allowed: set[str] = set()
    for line in filters:
        named = {call for name in line.removeprefix("~").split() for call in _expanded(name)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | set(_expanded("@default"))


def _expanded(name: str) -> Iterator[str]:
    if not name.startswith("@"):
        yield name
        return
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    for line in told.splitlines()[1:]:
        member = line.strip()
        if member and not member.startswith("#"):
            yield from _expanded(member)


def enter(unit: Path, folder: Path) -> None:
    """Give up everything that the unit takes away."""
    found = directives(unit)
    assert found["ProtectSystem"] == ["strict"]
    assert found["PrivateTmp"] == found["PrivateDevices"] == found["ProtectHome"] == ["yes"]
    calls = system_calls(found["SystemCallFilter"])
    families = found["RestrictAddressFamilies"][0].split()
    _narrow_file_system(folder)
    os.chdir(folder)
    os.umask(int(found["UMask"][0], 8))
    _become(_dynamic_user() if found.get("DynamicUser") == ["yes"] else NOBODY)
    _filter(calls, [FAMILIES[name] for name in families])


def _narrow_file_system(folder: Path) -> None:
    dev = folder / ".dev"
    dev.mkdir()
    _mount("--bind", folder, folder)
    _mount("-t", "tmpfs", "tmpfs", dev)
    for name in (*DEVICES, "shm", "fd"):
        source, target = Path("/dev") / name, dev / name
        if source.is_symlink():
            target.symlink_to(source.readlink())
            continue
        if source.is_dir():
            target.mkdir()
        else:
            target.touch()
        _mount("--bind", source, target)
    _mount("--move", dev, "/dev")
    _hide_private_places(folder / ".kept")
    _mount("--bind", "/", "/")
    _mount("-o", "remount,ro,bind", "/")


def _hide_private_places(aside: Path) -> None:
    """Empty /tmp and homes; what the interpreter needs of them stands where it stood."""
    needed = [path for path in KEPT if any(path.is_relative_to(place) for place in HIDDEN)]
    for number, path in enumerate(needed):
        (aside / str(number)).mkdir(parents=True)
        _mount("--bind", path, aside / str(number))
    for place, mode in HIDDEN.items():
        _mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", place)
    for number, path in enumerate(needed):
        path.mkdir(parents=True, exist_ok=True)
        _mount("--move", aside / str(number), path)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _dynamic_user() -> int:
    return DYNAMIC[os.getpid() % len(DYNAMIC)]


def _become(user: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of libseccomp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def _filter(calls: set[str], families: list[int]) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
    for name in sorted(calls - {"socket"}):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number != UNKNOWN:
            seccomp.seccomp_rule_add_array(context, ALLOW, number, 0, None)
    socket = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        equal = _Comparison(0, 4, family, 0)  # SCMP_CMP_EQ
        done = seccomp.seccomp_rule_add_array(context, ALLOW, socket, 1, ctypes.byref(equal))
        assert done == 0
    assert seccomp.seccomp_load(context) == 0


def main() -> None:
    """Entry point, in the namespace that `unshare` made."""
    unit, folder, dashes, *command = sys.argv[1:]
    assert dashes == "--"
    enter(Path(unit), Path(folder))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
