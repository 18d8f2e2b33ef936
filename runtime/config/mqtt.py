"""The MQTT mirror's part of a cell's YAML: which broker, and how it is reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxgate.runtime.config.fields import FilePath, Section, about

HOST = r"^[0-9A-Za-z.:-]{1,253}$"
PREFIX = r"^[^+#/$\x00-\x1f][^+#\x00-\x1f]{0,99}$"
PLAIN_PORT, TLS_PORT = 1883, 8883


class MqttTls(Section):
    """How the broker proves who it is, and the mirror too where it is asked."""

    ca: Annotated[
        FilePath | None, about("CA", "PEM, of the broker's certificate; none: the system's own")
    ] = None
    certificate: Annotated[FilePath | None, about("Certificate", "PEM, of this box")] = None
    key: Annotated[FilePath | None, about("Key", "PEM, of this box")] = None


class MqttSection(Section):
    """`voxgate mqtt`: a process of its own beside the service."""

    broker: Annotated[str, Field(pattern=HOST), about("Broker", "its name or address")]
    port: Annotated[
        int | None, about("Port", "none: 8883 with TLS, 1883 without", low=1, high=65535)
    ] = None
    prefix: Annotated[
        str, Field(pattern=PREFIX), about("Prefix", "of every topic, before the cell's name")
    ] = "voxgate"
    user: Annotated[
        str | None, Field(min_length=1, max_length=100), about("User", "at the broker")
    ] = None
    password_file: Annotated[FilePath | None, about("Password file", "its first line")] = None
    tls: Annotated[MqttTls | None, about("TLS", "needed beyond this machine")] = None

    @property
    def asked_port(self) -> int:
        """Where the broker listens."""
        return self.port or (PLAIN_PORT if self.tls is None else TLS_PORT)
