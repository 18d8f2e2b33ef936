"""A machine that was really booted: systemd is its first process, and it sees this machine's files.

    with Power(folder) as power:
        power.on().run("systemctl", "start", "voxgate")

As root; `Power(folder, tree)` boots a tree's files instead. What it writes goes into a layer in
`folder` and is gone with it. Its network is its own, with nobody else on it: loopback, and LAN,
which reaches it as an address of its own does anywhere.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.kits.cell_kit import until

SCRIPT = Path(__file__).with_name("boot.sh")
LAN = "192.168.77.1"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Machine:
    """first: the process ID of its systemd, as this machine counts."""

    first: int

    def run(
        self, *command: str, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The command on that machine, as root; with its words when it failed."""
        inside = ("nsenter", "--target", str(self.first), "--all", "--root", "--wd")
        whole = [*inside, "env", "-i", f"PATH={PATH}", "HOME=/root", *command]
        done = subprocess.run(whole, input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            journal = [*inside, "journalctl", "--no-pager", "--lines", "40"]
            told = subprocess.run(journal, capture_output=True, text=True, check=False).stdout
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}{told}")
        return done

    def put(self, file: str, text: str) -> None:
        """Write a file."""
        self.run("tee", file, stdin=text)

    def take(self, source: Path, folder: str) -> None:
        """Copy a file or a folder of this machine into a folder of that one, as root's."""
        self.run("mkdir", "-p", folder)
        packed = ("tar", "-C", str(source.parent), "--owner=0", "--group=0", "-c", source.name)
        inside = ("nsenter", "--target", str(self.first), "--all", "--root", "--wd")
        with subprocess.Popen(packed, stdout=subprocess.PIPE) as sent:
            subprocess.run([*inside, "tar", "-C", folder, "-x"], stdin=sent.stdout, check=True)
        assert sent.returncode == 0, f"{source} could not be read"

    def says(self, *command: str) -> str:
        """What it prints."""
        return self.run(*command).stdout.strip()

    def shows(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return self.says("systemctl", "show", "--value", "--property", key, unit)


@dataclass(slots=True)
class Power:
    """A machine's switch. folder: empty, for all that it writes; tree: whose files it sees."""

    folder: Path
    tree: Path = Path("/")
    _cgroup: Path | None = None
    _outside: subprocess.Popen[bytes] | None = None
    _machine: Machine | None = None

    def __enter__(self) -> Power:
        tree = self.folder / "cgroups"
        tree.mkdir()
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", str(tree)], check=True)
        self._cgroup = tree / f"voxgate-{os.getpid()}"
        self._cgroup.mkdir()
        return self

    def __exit__(self, *error: object) -> None:
        self.off()
        assert self._cgroup is not None
        for path, _, _ in os.walk(self._cgroup, topdown=False):
            Path(path).rmdir()
        subprocess.run(["umount", str(self._cgroup.parent)], check=True)

    @property
    def machine(self) -> Machine:
        """While it is on."""
        assert self._machine is not None, "it is off"
        return self._machine

    def on(self) -> Machine:
        """Boot; what it wrote before is there again."""
        told = map(str, (SCRIPT, self.folder, self._cgroup, self.tree))
        self._outside = subprocess.Popen(["sh", *told])
        self._machine = Machine(_first_process(self._outside))
        until(lambda: _is_up(self.machine), "a boot")
        self._machine.run("ip", "address", "add", f"{LAN}/24", "dev", "lo")
        return self._machine

    def off(self) -> None:
        """As by a power cut: every process at once, none asked."""
        if self._outside is None or self._cgroup is None:
            return
        self._outside.send_signal(signal.SIGKILL)  # takes the first process along, and that all
        self._outside.wait()
        events = self._cgroup / "cgroup.events"
        until(lambda: "populated 0" in events.read_text(), "the machine's end")
        self._outside = self._machine = None

    def cycle(self) -> Machine:
        """Off and on."""
        self.off()
        return self.on()


def _first_process(outside: subprocess.Popen[bytes]) -> int:
    def found() -> int | None:
        assert outside.poll() is None, "the machine did not come up"
        for child in psutil.Process(outside.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.name() == "systemd":
                    return child.pid
        return None

    return until(found, "a first process")


def _is_up(machine: Machine) -> bool:
    state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
    return state in ("running", "degraded")  # this machine's other services are not ours to judge
