"""The page as its own process, asked as a browser asks it."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kits.cell_kit import until
from tests.kits.ports import free_ports
from voxgate.sim.box import voxgate

ANSWER_S = 120  # a machine with much else to do takes half a minute for what examines the whole box


@dataclass(frozen=True)
class Answer:
    """Of one request; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class PageProcess:
    """Answers at `port`; said: what it wrote to stderr, once it has ended. tls: its certificate.

    cookies: for tests that share a session."""

    port: int
    process: subprocess.Popen[str]
    tls: Path | None = None
    said: str = field(default="")
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", said: object = None, **headers: str) -> Answer:
        """A stream has no end and is not to be asked for here."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if said is None else json.dumps(said)
        with closing(self._connected()) as connection:
            connection.request(method, path, content, named)
            with connection.getresponse() as answer:
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, found, answer.read())

    @contextmanager
    def stream(self, path: str, **headers: str) -> Iterator[Iterator[str]]:
        """Lines of an answer that goes on, without the empty ones."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self._connected()) as connection:
            connection.request("GET", path, None, named)
            with connection.getresponse() as answer:
                yield (line for raw in answer if (line := raw.decode().strip()))

    def post(self, path: str, said: object, **headers: str) -> Answer:
        """As our own scripts do it; headers that are given stand instead."""
        ours = {"Origin": self.url, "Content_Type": "application/json"}
        return self.ask(path, "POST", said, **{**ours, **headers})

    def token(self, **headers: str) -> str:
        return str(self.ask("/me", **headers).json["token"])

    def answers(self) -> bool:
        try:
            return self.ask("/words").status == 200
        except OSError:
            return False

    def _connected(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        context = ssl.create_default_context(cafile=self.tls)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=ANSWER_S, context=context
        )


@contextmanager
def page_process(cell: Path, tls: Path | None = None, *more: str) -> Iterator[PageProcess]:
    """Until the block ends; then it has to end by itself."""
    (port,) = free_ports(1)
    command = voxgate("page", "-c", str(cell), "--port", str(port), *more)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        page = PageProcess(port, process, tls)
        try:
            until(page.answers, "a page")
            yield page
        finally:
            process.send_signal(signal.SIGTERM)
            _, page.said = process.communicate(timeout=20)
