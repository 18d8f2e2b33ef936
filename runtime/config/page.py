"""The page's part of a cell's YAML: where it answers, and what it needs beyond this machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxgate.runtime.config.fields import FilePath, Section, about

HOST = r"^[0-9A-Za-z.:-]{1,253}$"
HERE = ("127.0.0.1", "localhost", "[::1]")
"""By what a browser of this machine calls it."""


class Tls(Section):
    """A certificate that HTTP is served with."""

    certificate: Annotated[FilePath, about("Certificate", "PEM, with its chain")]
    key: Annotated[FilePath, about("Key", "PEM")]


class PageSection(Section):
    """`voxgate page`: a process of its own beside the service."""

    host: Annotated[str, Field(pattern=HOST), about("Host", "address to listen on")] = "127.0.0.1"
    port: Annotated[int, about("Port", "of the page", low=1, high=65535)] = 8080
    names: Annotated[
        tuple[Annotated[str, Field(pattern=HOST)], ...],
        Field(max_length=16),
        about("Names", "of this box in a browser's address line, besides localhost"),
    ] = ()
    tls: Annotated[Tls | None, about("TLS", "needed beyond this machine")] = None
    accounts: Annotated[
        FilePath | None, about("Accounts", "of `voxgate account add`; needed beyond this machine")
    ] = None
