"""HTTP for Prometheus, path /metrics: plain on this machine, TLS and basic auth beyond it."""

from __future__ import annotations

import base64
import hmac
import io
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.trusted.secret_file import refuse_shared
from voxgate.runtime.common.trusted.server_tls import server_context
from voxgate.runtime.config.sections import MetricsSection
from voxgate.runtime.errors import KeyFileError, ServiceError

log = logging.getLogger(__name__)

MOST_SCRAPES = 16  # at a time
TIMEOUT_S = 10.0  # a scraper that says nothing holds one thread so long, and nobody else
MAX_SECRET_BYTES = 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class MetricsServer:
    """Answers until `close`.

    Raises ServiceError when the port is taken, KeyFileError for a certificate, key or password
    that cannot be used.
    """

    def __init__(self, registry: CollectorRegistry, config: MetricsSection) -> None:
        application = _patient(make_wsgi_app(registry))
        if config.basic_auth is not None:
            password = _password(config.basic_auth.password_file)
            application = _authenticated(application, f"{config.basic_auth.user}:{password}")
        kind: type[WSGIServer] = type(
            "_Server",
            (_Server,),
            {
                "address_family": socket.AF_INET6 if ":" in config.host else socket.AF_INET,
                "tls": None
                if config.tls is None
                else server_context(config.tls.certificate, config.tls.key),
            },
        )
        try:
            self._server: WSGIServer = make_server(
                config.host, config.port, application, kind, handler_class=_Silent
            )
        except OSError as error:
            raise ServiceError(
                f"metrics.port {config.port} on {config.host}: {error.strerror}: choose another"
            ) from error
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether somebody still answers."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def check_secrets(config: MetricsSection) -> None:
    """Raises KeyFileError for a certificate, key or password that cannot be used."""
    if config.basic_auth is not None:
        _password(config.basic_auth.password_file)
    if config.tls is not None:
        server_context(config.tls.certificate, config.tls.key)


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per scrape; the handshake is made in it, so that nobody waits for a slow one.

    Of many the oldest has to go: a scrape takes some milliseconds.
    """

    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def __init__(self, *arguments: Any) -> None:
        self._held: dict[int, socket.socket] = {}
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        held = list(self._held.values())
        for oldest in held[: len(held) + 1 - MOST_SCRAPES]:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        self._held[id(request)] = request
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(TIMEOUT_S)
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as own:
            self._held[id(request)] = own
            own.do_handshake()
            super().finish_request(own, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._held.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that went away, or spoke no TLS, is no event."""


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  stdlib's name
        """One line per scrape would drown the jobs."""

    def get_stderr(self) -> io.StringIO:
        """Nor does a traceback that a stranger can cause."""
        return io.StringIO()


def _patient(application: Application) -> Application:
    """What a request makes the exporter stumble over is the request's fault, not an event."""

    def patient(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return application(environ, start)
        except (ValueError, TypeError, LookupError) as error:
            log.info("metrics: a request that cannot be answered: %s", one_line(error))
            start("400 Bad Request", [])
            return [b"this cannot be answered\n"]

    return patient


def _authenticated(application: Application, user_and_password: str) -> Application:
    secret = user_and_password.encode()

    def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if hmac.compare_digest(_given(environ.get("HTTP_AUTHORIZATION", "")), secret):
            return application(environ, start)
        start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="voxgate"')])
        return [b"user and password, please\n"]

    return guarded


def _given(header: str) -> bytes:
    """What stands in `Authorization: Basic ...`; b"" for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error is one
        return b""


def _password(path: Path) -> str:
    try:
        refuse_shared(path)
        with path.open("rb") as file:
            line = file.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read: one line with the password") from error
    if not line:
        raise KeyFileError(f"{path}: is empty: one line with the password")
    return line
