"""What the fields of a cell's YAML are made of: names, endpoints, paths, numbers with a unit."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.*-]+):(?P<port>[0-9]{1,5})")
_IPC_PREFIX = "ipc://"
_IPC = re.compile(r"ipc:///[^\s@]{1,90}")  # the kernel takes 107 bytes

BASE = "base"
"""Key of the validation context: the folder of the YAML, which its relative paths start from."""


class Section(BaseModel):
    """Frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def about(
    title: str,
    description: str,
    *,
    unit: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A field's title, description, unit and range, for people, editors and the schema."""
    extra: dict[str, Any] | None = {"unit": unit} if unit else None
    return Field(title=title, description=description, ge=low, le=high, json_schema_extra=extra)


def host_of(endpoint: str) -> str | None:
    """The host of a tcp endpoint without brackets; None for ipc."""
    match = _TCP.fullmatch(endpoint)
    return match["host"].strip("[]") if match else None


def remove_socket_file(endpoint: str) -> None:
    """libzmq leaves the file of an ipc endpoint behind when it is closed."""
    if endpoint.startswith(_IPC_PREFIX):
        Path(endpoint.removeprefix(_IPC_PREFIX)).unlink(missing_ok=True)


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can reach `host`; None (ipc) is this machine."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(value: str) -> str:
    match = _TCP.fullmatch(value)
    if match and 1 <= int(match["port"]) <= 65535:
        return value
    if _IPC.fullmatch(value):
        return value
    raise ValueError(
        f"{value!r} is no endpoint: tcp://HOST:PORT (port 1 to 65535) or ipc:///PATH is allowed"
    )


def _from_base(value: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get(BASE, Path())
    return base / value


Endpoint = Annotated[str, AfterValidator(_endpoint)]
FilePath = Annotated[Path, AfterValidator(_from_base)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
