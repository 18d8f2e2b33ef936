"""The OPC UA door's part of a cell's YAML: where it listens, and whom it lets in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxgate.runtime.config.fields import FilePath, Name, Section, about
from voxgate.runtime.config.page import HOST


class OpcUaSecurity(Section):
    """Sign and encrypt, by certificates of both sides; nothing is said in clear any more."""

    certificate: Annotated[
        FilePath, about("Certificate", "PEM, RSA, of this box; its URI is the application's")
    ]
    key: Annotated[FilePath, about("Key", "PEM")]
    trusted: Annotated[
        FilePath,
        about("Trusted", "folder of the clients' certificates, NAME.pem or NAME.der each"),
    ]
    accounts: Annotated[
        FilePath | None,
        about("Accounts", "of `voxgate account add`, for who logs in with a password"),
    ] = None
    callers: Annotated[
        tuple[Name, ...],
        Field(max_length=100),
        about("Callers", "accounts or trusted certificates that may call methods; others read"),
    ] = ()


class OpcUaSection(Section):
    """`voxgate opcua`: a process of its own beside the service."""

    host: Annotated[str, Field(pattern=HOST), about("Host", "address to listen on")] = "127.0.0.1"
    port: Annotated[int, about("Port", "of the door", low=1, high=65535)] = 4840
    security: Annotated[
        OpcUaSecurity | None,
        about("Security", "needed beyond this machine; none: any program here reads and calls"),
    ] = None
