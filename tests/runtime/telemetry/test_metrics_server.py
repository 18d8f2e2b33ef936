"""Prometheus gets its page; who has no password, or speaks no TLS, does not."""

from __future__ import annotations

import base64
import datetime
import os
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from voxgate.runtime.config.page import Tls
from voxgate.runtime.config.sections import BasicAuth, MetricsSection
from voxgate.runtime.errors import KeyFileError, ServiceError
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.telemetry.metrics_server import MOST_SCRAPES, MetricsServer

HEADLINE = "voxgate_last_exposure_to_verdict_seconds"


@pytest.fixture(autouse=True)
def _secrets_are_ones_own() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def serve(port: int) -> Iterator[Callable[..., MetricsServer]]:
    servers = []

    def serve(**settings: object) -> MetricsServer:
        config = MetricsSection.model_validate({"port": port, **settings})
        servers.append(MetricsServer(Metrics("bracket-1", ("cam0",)).registry, config))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def scraped(url: str, trust: Path | None = None, login: str | None = None) -> str:
    request = urllib.request.Request(url)
    if login is not None:
        encoded = base64.b64encode(login.encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    context = ssl.create_default_context(cafile=trust) if trust is not None else None
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """A certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Tls(certificate=tmp_path / "c.pem", key=tmp_path / "c.key")
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_scrape_delivers_the_headline_and_close_frees_the_port(
    serve: Callable[..., MetricsServer], port: int
) -> None:
    server = serve()
    page = scraped(f"http://127.0.0.1:{port}/metrics")
    assert HEADLINE in {family.name for family in text_string_to_metric_families(page)}
    server.close()
    serve()


def test_taken_port_is_told_in_one_line(serve: Callable[..., MetricsServer]) -> None:
    serve()
    with pytest.raises(ServiceError, match=r"metrics\.port"):
        serve()


def test_only_who_knows_the_password_sees_the_page(
    serve: Callable[..., MetricsServer], port: int, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("a long one\n")
    serve(basic_auth=BasicAuth(user="prometheus", password_file=tmp_path / "password"))
    url = f"http://127.0.0.1:{port}/metrics"
    assert HEADLINE in scraped(url, login="prometheus:a long one")
    for login in (None, "prometheus:another", "root:a long one", "prometheus", ""):
        with pytest.raises(urllib.error.HTTPError) as found:
            scraped(url, login=login)
        found.value.close()
        assert found.value.code == 401


def test_the_page_is_encrypted(serve: Callable[..., MetricsServer], port: int, tls: Tls) -> None:
    serve(tls=tls)
    assert HEADLINE in scraped(f"https://localhost:{port}/metrics", trust=tls.certificate)
    with pytest.raises(OSError, match=r"reset|closed|disconnected|refused|abort"):
        scraped(f"http://localhost:{port}/metrics")
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        scraped(f"https://localhost:{port}/metrics", trust=None)


def test_a_scraper_that_says_nothing_keeps_nobody_waiting(
    serve: Callable[..., MetricsServer], port: int, tls: Tls
) -> None:
    serve(tls=tls)
    with socket.create_connection(("127.0.0.1", port)):
        assert HEADLINE in scraped(f"https://localhost:{port}/metrics", trust=tls.certificate)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\n"])
def test_a_password_that_is_none_is_refused(
    serve: Callable[..., MetricsServer], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(KeyFileError, match="one line with the password"):
        serve(basic_auth=BasicAuth(user="prometheus", password_file=tmp_path / "password"))


def test_a_certificate_without_its_key_is_refused(
    serve: Callable[..., MetricsServer], tls: Tls
) -> None:
    with pytest.raises(KeyFileError, match="PEM"):
        serve(tls=Tls(certificate=tls.certificate, key=tls.certificate))


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Basic \xff",
        "Authorization: Basic \xff\xfe=",
        "Accept: application/openmetrics-text;version=1.x",
        "Accept: text/plain;version=\x85;escaping=\x1b[2J",
        "Accept: application/openmetrics-text;version=",
        "Content-Length: many",
        "Accept-Encoding: gzip;q=x",
        "Host: \x1b[2J",
    ],
)
@pytest.mark.parametrize("guarded", [False, True])
def test_a_request_that_makes_no_sense_leaves_no_traceback(
    header: str,
    guarded: bool,
    serve: Callable[..., MetricsServer],
    port: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "password").write_text("a long one\n")
    secrets = {"basic_auth": BasicAuth(user="prometheus", password_file=tmp_path / "password")}
    serve(**secrets if guarded else {})
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            raw.sendall(f"GET /metrics HTTP/1.1\r\n{header}\r\n\r\n".encode("latin-1"))
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.0 ")
    assert capfd.readouterr().err == ""


def test_a_crowd_that_says_nothing_keeps_prometheus_waiting_for_nothing(
    serve: Callable[..., MetricsServer], port: int
) -> None:
    serve()
    with ExitStack() as stack:
        for _ in range(3 * MOST_SCRAPES):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
        assert HEADLINE in scraped(f"http://127.0.0.1:{port}/metrics")
        assert threading.active_count() < 2 * MOST_SCRAPES


@pytest.mark.parametrize("secret", ["password", "key"])
def test_a_secret_that_others_may_read_is_refused(
    secret: str, serve: Callable[..., MetricsServer], tmp_path: Path, tls: Tls
) -> None:
    (tmp_path / "password").write_text("a long one\n")
    auth = BasicAuth(user="prometheus", password_file=tmp_path / "password")
    (auth.password_file if secret == "password" else tls.key).chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        serve(basic_auth=auth, tls=tls)
