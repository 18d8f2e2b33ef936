"""What asyncua's server leaves open, closed: a channel in clear, a message without end.

Its connections begin without security and it answers on them as on any other; here they serve for
discovery only, where the cell asks for certificates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server import binary_server_asyncio
from asyncua.server.binary_server_asyncio import OPCUAProtocol
from asyncua.server.uaprocessor import UaProcessor

log = logging.getLogger(__name__)

MOST_WAITING_BYTES = 1 << 20  # of one connection, before a message is whole
IN_CLEAR = {
    ua.NodeId(ua.ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary),
    ua.NodeId(ua.ObjectIds.FindServersRequest_Encoding_DefaultBinary),
    ua.NodeId(ua.ObjectIds.CloseSecureChannelRequest_Encoding_DefaultBinary),
}


class Bounded(OPCUAProtocol):
    """Ends a connection that says more than it may before a message is whole."""

    def data_received(self, data: bytes) -> None:
        """As asyncio says."""
        if len(self._buffer) + len(data) > MOST_WAITING_BYTES and self.transport is not None:
            self.transport.abort()
            return
        super().data_received(data)


class Sealed(UaProcessor):
    """Takes nothing in clear but the question what there is."""

    async def process(self, header: Any, body: Any) -> bool:
        """As asyncua asks; False: the connection ends. Who is not trusted is not kept waiting."""
        try:
            return bool(await super().process(header, body))
        except (ServiceError, ua.UaError) as error:
            log.warning("a connection ends: %s", error)
            return False

    async def _process_message(
        self, typeid: ua.NodeId, requesthdr: Any, seqhdr: Any, body: Any
    ) -> Any:
        in_clear = self._connection.security_policy.Mode == ua.MessageSecurityMode.None_
        if in_clear and typeid not in IN_CLEAR:
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)
        return await super()._process_message(typeid, requesthdr, seqhdr, body)


class OfTrusted:
    """A policy's factory that makes channels for trusted certificates only."""

    def __init__(self, factory: Any, trusts: Callable[[bytes | None], bool]) -> None:
        self._factory = factory
        self._trusts = trusts

    def matches(self, uri: str, mode: ua.MessageSecurityMode | None = None) -> bool:
        """As asyncua asks."""
        return bool(self._factory.matches(uri, mode))

    def create(self, peer_certificate: bytes | None) -> Any:
        """For one connection. Raises BadCertificateUntrusted."""
        if not self._trusts(peer_certificate):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)
        return self._factory.create(peer_certificate)


def guard(needs_security: bool) -> None:
    """For this process: asyncua has no hook for either."""
    binary_server_asyncio.OPCUAProtocol = Bounded
    if needs_security:
        binary_server_asyncio.UaProcessor = Sealed
