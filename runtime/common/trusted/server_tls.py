"""The certificate that a server of this box shows: TLS 1.2 or newer, its key readable to nobody."""

from __future__ import annotations

import ssl
from pathlib import Path

from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.errors import KeyFileError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Of PEM files. Raises KeyFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        refuse_shared(key)
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise KeyFileError(
            f"{certificate}, {key}: no certificate with its key in PEM: {error}"
        ) from error
    return context
