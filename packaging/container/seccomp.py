"""The system calls of systemd/voxgate.service, in the form that podman and docker take:

PYTHONPATH=. python packaging/container/seccomp.py > packaging/container/seccomp.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.kits.repository import ROOT
from tests.kits.sandbox import FAMILIES, directives, system_calls

UNIT = ROOT / "systemd/voxgate.service"
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW* of clone(2), all of them
EPERM, ENOSYS = 1, 38
NARROWED = ("clone", "clone3", "socket", "setns", "unshare")


def profile() -> dict[str, Any]:
    """SystemCallFilter=, RestrictAddressFamilies= and RestrictNamespaces= of the unit."""
    unit = directives(UNIT)
    calls = system_calls(unit["SystemCallFilter"]) - {*NARROWED}
    families = [FAMILIES[name] for name in unit["RestrictAddressFamilies"][0].split()]
    clone = {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": sorted(calls), "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [clone]},
            # its flags lie in memory, which no filter reads: who calls it takes clone then
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
            *(
                {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [_is(f)]}
                for f in families
            ),
        ],
    }


def _is(family: int) -> dict[str, Any]:
    return {"index": 0, "value": family, "op": "SCMP_CMP_EQ"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(profile(), indent=1) + "\n")
