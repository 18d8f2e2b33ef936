"""A PLC, as asyncua's own client; and the door that it talks to, as its own process."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.sync import Client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.kits.cell_kit import PATIENCE_S, until
from tests.kits.ports import listens
from voxgate.sim.box import voxgate

OWN, STANDARD = "urn:voxgate:opcua", "http://opcfoundation.org/UA/MachineVision"
NO_CAUSE = (ua.Variant(0, ua.VariantType.Int32), "")


def certificate_of(folder: Path, name: str, days: int = 1) -> tuple[Path, Path]:
    """NAME.pem and NAME-key.pem: RSA, with the URI that OPC UA asks for. days < 0: expired."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = [x509.UniformResourceIdentifier(f"urn:test:{name}"), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / f"{name}.pem", folder / f"{name}-key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.touch(0o600)
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


class Plc:
    """One session; `with` it."""

    def __init__(self, port: int) -> None:
        url = f"opc.tcp://127.0.0.1:{port}/voxgate"
        # its watchdog takes a door that is busy for a second for a dead one
        self.client = Client(url, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S)

    def __enter__(self) -> Plc:
        try:
            self.client.connect()
            self.client.load_data_type_definitions()
            self._own = self.client.get_namespace_index(OWN)
        except BaseException:
            self.client.tloop.stop()  # its thread would outlive the tests
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.client.disconnect()

    def node(self, name: str) -> Any:
        return self.client.get_node(ua.NodeId(name, self._own))

    def read(self, name: str) -> Any:
        """A value, or the name of its bad status."""
        told = self.node(name).read_data_value(raise_on_bad_status=False)
        return told.Value.Value if told.StatusCode.is_good() else told.StatusCode.name

    def becomes(self, name: str, value: object) -> None:
        until(lambda: self.read(name) == value, f"{name}: {value!r}")

    def call(self, path: str, *arguments: Any) -> Any:
        """`AutomaticModeStateMachine.Stop`: a method by its object's name and its own."""
        parent = self.node(path.rpartition(".")[0])
        return parent.call_method(ua.NodeId(path, self._own), *arguments)

    def start(self, job_id: str, part_id: str = "", recipe: str = "") -> tuple[str, int]:
        """StartSingleJob; the job's id and the error."""
        name, _, version = recipe.partition("/")
        job, error = self.call(
            "AutomaticModeStateMachine.StartSingleJob",
            ua.MeasIdDataType(Id=job_id),
            ua.PartIdDataType(Id=part_id),
            ua.RecipeIdExternalDataType(Id=name, Version=version or None),
            ua.ProductIdDataType(),
            ua.Variant([], ua.VariantType.Variant),
        )
        return job.Id, error

    def stop(self) -> int:
        return int(self.call("AutomaticModeStateMachine.Stop", *NO_CAUSE))


@contextmanager
def door(cell: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`voxgate opcua`, which has to end by itself when it is asked to."""
    command = voxgate("opcua", "-c", str(cell))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: process.poll() is not None or listens(port), "a door")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE_S)
            print(said)  # noqa: T201
    assert process.returncode == 0
