"""How a handshake of two sockets may end."""

from __future__ import annotations

import zmq

TURNED_AWAY = zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL


ENDINGS = TURNED_AWAY | zmq.Event.HANDSHAKE_SUCCEEDED | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
