"""A broker that may be away for a while: what it should hold is told again when it is back."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from voxgate.runtime.common.text import legible
from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.config.mqtt import MqttSection
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.mqtt.topics import FALSE, Retained

log = logging.getLogger(__name__)

AT_LEAST_ONCE = 1
KEEPALIVE_S = 10  # the broker tells of a mirror that has died within half as much again
AGAIN_S = (1, 30)  # between two attempts; doubles
WAITING = 1000  # verdicts for a broker that is away; the oldest are given up
FAREWELL_S = 2.0


class Broker:
    """One connection, in a thread of paho's. known: what the broker should hold, once it is there.

    Raises KeyFileError for a password or certificate that cannot be used.
    """

    def __init__(
        self,
        settings: MqttSection,
        cell: str,
        last_will: str,
        known: Callable[[], Iterable[Retained]],
    ) -> None:
        self._where = f"{settings.broker}:{settings.asked_port}"
        self._last_will = last_will
        self._known = known
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"voxgate-mirror-{cell}")
        self._client.will_set(last_will, FALSE, AT_LEAST_ONCE, retain=True)
        self._client.reconnect_delay_set(*AGAIN_S)
        self._client.max_queued_messages_set(WAITING)
        if settings.user is not None:
            self._client.username_pw_set(settings.user, _password(settings.password_file))
        if settings.tls is not None:
            self._client.tls_set_context(_context(settings))
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.connect_async(settings.broker, settings.asked_port, KEEPALIVE_S)

    def __enter__(self) -> Broker:
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client.is_connected():
            said = self._client.publish(self._last_will, FALSE, AT_LEAST_ONCE, retain=True)
            said.wait_for_publish(FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()

    def tell(self, messages: Iterable[Retained]) -> None:
        """Now, or when the broker is back."""
        for each in messages:
            self._client.publish(each.topic, each.payload, AT_LEAST_ONCE, retain=True)

    def _connected(
        self,
        client: Client,
        data: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.warning("the broker at %s refuses: %s", self._where, legible(str(reason)))
            return
        log.info("the broker at %s listens", self._where)
        self.tell(self._known())

    def _disconnected(
        self,
        client: Client,
        data: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.warning("the broker at %s is gone: %s", self._where, legible(str(reason)))


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        refuse_shared(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: the password cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise KeyFileError(f"{file}: the password is its first line, which is empty")
    return lines[0]


def _context(settings: MqttSection) -> ssl.SSLContext:
    tls = settings.tls
    assert tls is not None
    try:
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
        if tls.certificate is not None and tls.key is not None:
            refuse_shared(tls.key)
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise KeyFileError(f"mqtt.tls: the files cannot be used: {error}") from error
    return context
