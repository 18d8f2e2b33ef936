"""Buildah and podman with a store of their own, on a machine that may have no cgroups for them.

Real ones, for the image is built and run; what this machine may lack is handed in: control groups
of version 2 alone, limits below its own.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kits.needs import has, may_unshare, needs

# /sys/fs/cgroup as current distributions have it, in a name space of its own
ALONE = (
    "umount -R -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup && "
    'mount --bind "$1" /etc/containers && shift && exec "$@"'
)
CONFIGURATION = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
"""
STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/store"\nrunroot = "{0}/run"\n'
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'

needs_containers = needs(
    has("buildah", "podman", "crun") and may_unshare("--mount"),
    "root, its right to make namespaces, podman: apt-get install buildah podman crun",
)


@dataclass(frozen=True, slots=True)
class Containers:
    """A store in `folder`."""

    folder: Path

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """buildah, podman, or what calls them; with its words when it failed."""
        done = subprocess.run(self._whole(command), capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def _whole(self, command: tuple[str | Path, ...]) -> list[str]:
        etc = self.folder / "etc"
        if not etc.exists():
            etc.mkdir(parents=True)
            (etc / "containers.conf").write_text(CONFIGURATION)
            (etc / "storage.conf").write_text(STORAGE.format(self.folder))
            (etc / "policy.json").write_text(POLICY)
        environment = ("env", "-u", "XDG_RUNTIME_DIR", f"HOME={os.environ.get('HOME', '/root')}")
        alone = ("unshare", "--mount", "--propagation", "private", "sh", "-c", ALONE, "sh")
        return [*alone, str(etc), *environment, *map(str, command)]
