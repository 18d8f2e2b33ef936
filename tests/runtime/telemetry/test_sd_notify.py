"""Readiness for systemd: heard when it listens, no harm when it does not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from voxgate.runtime.telemetry.sd_notify import Notifier, sd_notify


def test_systemd_hears_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        sd_notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"voxgate-test-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        sd_notify("STOPPING=1")
        assert systemd.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "nonsense", "/nowhere/at/all"])
def test_nobody_listening_is_no_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    sd_notify("READY=1")


def test_ready_is_said_once_and_status_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(1)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        for ready, alive, status in (
            (False, True, "starting"),
            (True, True, "READY: bracket/1"),
            (True, True, "READY: bracket/1"),
            (True, False, "READY: bracket/1"),
            (True, False, "two\nlines"),
        ):
            notifier.tell(ready=ready, alive=alive, status=status)
        heard = [systemd.recv(200).decode() for _ in range(4)]
    assert heard == [
        "STATUS=starting\nWATCHDOG=1",
        "READY=1\nSTATUS=READY: bracket/1\nWATCHDOG=1",
        "WATCHDOG=1",
        "STATUS=two lines",
    ]
