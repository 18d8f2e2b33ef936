"""What a test needs of the machine: where it is missing the test is skipped, by a name to type."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from voxgate.sim.gentl.build import compiler


def needs(there: bool, what: str) -> pytest.MarkDecorator:
    """Skips unless it is there."""
    return pytest.mark.skipif(not there, reason=f"needs {what}")


def has(*programs: str) -> bool:
    """Whether every program is found."""
    return all(map(shutil.which, programs))


@cache
def may_unshare(namespace: str) -> bool:
    """Whether this user may make a namespace, e.g. `--mount`: containers often may not."""
    if os.geteuid() != 0 or not has("unshare"):
        return False
    tried = subprocess.run(["unshare", *namespace.split(), "true"], capture_output=True)
    return tried.returncode == 0


def _may_go_before() -> bool:
    """Whether this user may lower a niceness: the root of a container often may not."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, mine - 1)
    except PermissionError:
        return False
    os.setpriority(os.PRIO_PROCESS, 0, mine)
    return True


def _has_seccomp() -> bool:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


NAMESPACES = "root, its right to make namespaces and unshare: apt-get install util-linux"
LOSSY_NETWORK = f"nft, ip, {NAMESPACES} nftables iproute2"

needs_c_compiler = needs(compiler() is not None, "a C compiler: apt-get install gcc libc6-dev")
needs_cpp_and_zmq = needs(
    has("g++") and Path("/usr/include/zmq.h").exists(),
    "g++ and libzmq's headers: apt-get install g++ libzmq3-dev",
)
needs_valgrind = needs(has("valgrind"), "valgrind: apt-get install valgrind")
needs_prometheus = needs(
    has("prometheus", "promtool"), "prometheus and promtool: apt-get install prometheus"
)
needs_systemd = needs(has("systemd-analyze"), "systemd-analyze: apt-get install systemd")
needs_socket_activation = needs(
    has("systemd-socket-activate"), "systemd-socket-activate: apt-get install systemd"
)
needs_seccomp = needs(_has_seccomp(), "libseccomp.so.2: apt-get install libseccomp2")
needs_to_go_before = needs(
    _may_go_before(), "the right to lower a niceness, as the unit's LimitNICE= gives it"
)
needs_mounts = needs(may_unshare("--mount"), NAMESPACES)
needs_installer = needs(
    os.geteuid() == 0 and has("systemd-sysusers"),
    "root and systemd-sysusers: apt-get install systemd",
)
needs_boot = needs(
    may_unshare("--pid --fork --cgroup --net") and Path("/lib/systemd/systemd").exists(),
    f"systemd, python3-venv, {NAMESPACES} systemd python3-venv iproute2",
)
needs_chromium = needs(has("chromium"), "chromium: apt-get install chromium")
needs_wapiti = needs(has("wapiti"), "wapiti: apt-get install wapiti")
needs_mosquitto = needs(
    has("mosquitto", "mosquitto_sub"),
    "mosquitto: apt-get install mosquitto mosquitto-clients",
)
