"""asyncua's server with our guests and bounds; with certificates it says no word in clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from voxgate import __version__
from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.opcua import OpcUaSection, OpcUaSecurity
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.opcua.guard import OfTrusted
from voxgate.runtime.opcua.visitors import Rules, Visitors

CONNECTIONS, SUBSCRIPTIONS = 32, 64
REQUESTS = 4000  # of one connection at once: asyncua's client asks for all data types together
MESSAGE_BYTES, CHUNK_BYTES = 1 << 20, 65_536
ENCRYPTED = [
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


class GuardedServer(Server):
    """asyncua's, with our guests and our bounds."""

    _policies: list[Any]

    def __init__(self, visitors: Visitors, security: OpcUaSecurity | None) -> None:
        super().__init__(user_manager=visitors)
        self._visitors = visitors
        self._rules = Rules(security)
        self.iserver.allow_remote_admin = False
        self.iserver.max_connections = CONNECTIONS
        self.iserver.max_subscriptions = SUBSCRIPTIONS
        self.iserver.max_pending_messages_per_connection = REQUESTS
        self.limits = TransportLimits(
            CHUNK_BYTES, CHUNK_BYTES, MESSAGE_BYTES // CHUNK_BYTES, MESSAGE_BYTES
        )

    async def secure(self, cell: str, settings: OpcUaSection) -> None:
        """Endpoint, names and certificates. Raises KeyFileError."""
        security = settings.security
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.set_endpoint(f"opc.tcp://{host}:{settings.port}/voxgate")
        self.set_server_name(f"VoxGate {cell}")
        self.manufacturer_name, self.product_uri = "VoxGate", "urn:voxgate"
        self.application_type = ua.ApplicationType.Server
        tokens = [ua.AnonymousIdentityToken, ua.X509IdentityToken, ua.UserNameIdentityToken]
        self.set_identity_tokens(tokens if security is not None else tokens[:1])
        policies = [ua.SecurityPolicyType.NoSecurity] if security is None else ENCRYPTED
        self.set_security_policy(policies, self._rules)
        uri = f"urn:voxgate:{cell}" if security is None else await self._show(security)
        await self.set_application_uri(uri)
        await self.set_build_info("urn:voxgate", "VoxGate", "VoxGate", __version__, "", utc_now())

    async def _show(self, security: OpcUaSecurity) -> str:
        try:
            refuse_shared(security.key)
            await self.load_certificate(security.certificate, "pem")
            await self.load_private_key(security.key, format="pem")
        except (OSError, ValueError, TypeError) as error:
            files = f"{security.certificate}, {security.key}"
            raise KeyFileError(f"{files}: no certificate with its key in PEM: {error}") from error
        return _uri(security.certificate, self.iserver.certificate)

    async def _setup_server_nodes(self) -> None:
        await super()._setup_server_nodes()
        if self.iserver.certificate is not None:
            self._policies = [OfTrusted(each, self._visitors.trusts) for each in self._policies]


def _uri(file: Path, certificate: x509.Certificate) -> str:
    if not isinstance(certificate.public_key(), RSAPublicKey):
        raise KeyFileError(f"{file}: OPC UA needs an RSA key")
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        return str(uri)
    raise KeyFileError(f"{file}: names no URI: OPC UA clients ask for subjectAltName=URI:...")
