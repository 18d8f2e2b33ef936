"""The door for a PLC from the network: who is unknown gets nothing, who reads calls nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncua
import pytest
from asyncua import ua
from asyncua.crypto.security_policies import (
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)
from asyncua.sync import Client

from tests.kits.cell_kit import write_cell
from tests.kits.plc import NO_CAUSE, Plc, certificate_of, door
from tests.kits.ports import free_ports
from voxgate.runtime.common.people.accounts import put_account
from voxgate.runtime.common.people.role import Role
from voxgate.runtime.opcua.guard import MOST_WAITING_BYTES
from voxgate.sim.box import voxgate

PASSWORD = "seven red valves"
SILENT = "BadNoCommunication"


@dataclass
class Beyond:
    """A door that asks for certificates; nobody serves the cell behind it."""

    port: int
    folder: Path

    def plc(self, name: str, user: str = "", policy: Any = SecurityPolicyBasic256Sha256) -> Plc:
        """With a certificate of the folder, and a password where there is a user."""
        plc = Plc(self.port)
        client = plc.client
        client.application_uri = f"urn:test:{name}"
        keys = (str(self.folder / f"{name}.pem"), str(self.folder / f"{name}-key.pem"))
        client.set_security(policy, *keys, server_certificate=str(self.folder / "box.pem"))
        if user:
            client.set_user(user)
            client.set_password(PASSWORD)
        return plc


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beyond]:
    folder = tmp_path_factory.mktemp("beyond")
    (trusted := folder / "trusted").mkdir()
    for name, days in (("box", 1), ("plc-4", 1), ("display", 1), ("old", -1), ("stranger", 1)):
        certificate, _ = certificate_of(folder, name, days)
        if name not in ("box", "stranger"):
            (trusted / certificate.name).write_bytes(certificate.read_bytes())
    accounts = folder / "accounts"
    put_account(accounts, "shift", Role.OPERATOR, PASSWORD)
    (port,) = free_ports(1)
    security = {
        "certificate": str(folder / "box.pem"),
        "key": str(folder / "box-key.pem"),
        "trusted": str(trusted),
        "accounts": str(accounts),
        "callers": ["plc-4"],
    }
    cell = write_cell(folder, opcua={"port": port, "security": security})
    with door(cell, port):
        yield Beyond(port, folder)


@pytest.mark.parametrize("policy", [SecurityPolicyBasic256Sha256, SecurityPolicyAes256Sha256RsaPss])
def test_a_trusted_certificate_is_shut_out(beyond: Beyond, policy: Any) -> None:
    with beyond.plc("plc-4", policy=policy) as plc:
        assert plc.read("Cell.State") == SILENT
        with pytest.raises(ua.UaStatusCodeError, match=SILENT):
            plc.stop()


def test_a_password_is_not_asked_for(beyond: Beyond) -> None:
    with beyond.plc("display", user="shift") as plc:
        assert plc.read("Cell.State") == SILENT
    with (
        pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"),
        beyond.plc("display", "x"),
    ):
        pass


@pytest.mark.parametrize("name", ["stranger", "old"])
def test_a_certificate_that_nobody_trusts_opens_a_channel(beyond: Beyond, name: str) -> None:
    plc = beyond.plc(name)
    plc.client.timeout = 2
    with pytest.raises(Exception), plc:  # noqa: B017, PT011 - whatever asyncua makes of silence
        pass


def test_who_may_read_calls(beyond: Beyond) -> None:
    with beyond.plc("display") as plc:
        assert plc.read("Verdict.Outcome") == SILENT
        for call in (
            lambda: plc.start("job"),
            lambda: plc.call("VisionStateMachine.Reset", *NO_CAUSE),
            lambda: plc.node("Verdict.Outcome").write_value("PASS"),
        ):
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                call()


def test_what_there_is_is_asked_in_clear_and_no_more(beyond: Beyond) -> None:
    client = Client(f"opc.tcp://127.0.0.1:{beyond.port}/voxgate")
    try:
        offered = client.connect_and_get_server_endpoints()
    finally:
        client.tloop.stop()
    assert {each.SecurityMode for each in offered} == {ua.MessageSecurityMode.SignAndEncrypt}
    with pytest.raises(ua.UaStatusCodeError, match="BadSecurityPolicyRejected"), Plc(beyond.port):
        pass


def test_a_session_needs_no_channel(beyond: Beyond) -> None:
    """A connection begins without security: who opens no channel at all has not refused any."""

    async def session() -> None:
        client = asyncua.Client(f"opc.tcp://127.0.0.1:{beyond.port}/voxgate", timeout=5)
        await client.connect_socket()
        try:
            await client.send_hello()
            await client.create_session()
        finally:
            client.disconnect_socket()

    with pytest.raises(ua.UaStatusCodeError, match="BadSecurityPolicyRejected"):
        asyncio.run(session())


def test_a_message_without_end_fills_the_memory(beyond: Beyond) -> None:
    with socket.create_connection(("127.0.0.1", beyond.port), 30) as stream:
        stream.sendall(b"MSGF" + struct.pack("<I", 0xFFFF_FFF0))
        with pytest.raises(OSError, match=r"reset|pipe"):
            stream.sendall(bytes(64 * MOST_WAITING_BYTES))
    with beyond.plc("display") as plc:
        assert plc.read("Cell.State") == SILENT


def test_a_door_on_the_network_is_open_to_anybody(tmp_path: Path) -> None:
    cell = write_cell(tmp_path, opcua={"host": "0.0.0.0"})
    said = subprocess.run(
        voxgate("opcua", "-c", str(cell)), capture_output=True, text=True, check=False
    )
    assert said.returncode == 2
    assert "opcua.host" in said.stderr
    assert "opcua.security" in said.stderr
