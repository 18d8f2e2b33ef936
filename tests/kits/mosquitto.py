"""A real MQTT broker, and what it keeps, as its own clients see it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kits.cell_kit import until
from tests.kits.ports import listens

USER, PASSWORD = "cell-4", "seven red valves"


@dataclass
class Broker:
    """Listens on this machine. options: what its clients need besides."""

    port: int
    options: tuple[str, ...] = ()

    def kept(self, topic: str) -> bytes | None:
        """What somebody who subscribes now is told at once; None: nothing."""
        asked = subprocess.run(
            ["mosquitto_sub", *self._where(), "-t", topic, "-C", "1", "-W", "2", "-N"],
            capture_output=True,
            check=False,
        )
        return asked.stdout or None

    def says(self, topic: str, payload: bytes) -> None:
        """Wait until it keeps this."""
        until(lambda: self.kept(topic) == payload, f"{topic}: {payload!r}")

    def _where(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), *self.options)


@contextmanager
def mosquitto(folder: Path, port: int, tls: Path | None = None) -> Iterator[Broker]:
    """Until the block ends. tls: a certificate, key.pem beside it; it then asks for a password."""
    lines = [f"listener {port} 127.0.0.1"]
    options: tuple[str, ...] = ()
    if tls is None:
        lines.append("allow_anonymous true")
    else:
        users = folder / "users"
        users.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(users), USER, PASSWORD], check=True)
        lines += [
            f"cafile {tls}",
            f"certfile {tls}",
            f"keyfile {tls.with_name('key.pem')}",
            f"password_file {users}",
        ]
        lines += ["user root"]
        options = ("--cafile", str(tls), "-u", USER, "-P", PASSWORD)
    configuration = folder / "mosquitto.conf"
    configuration.write_text("\n".join([*lines, ""]))
    with subprocess.Popen(["mosquitto", "-c", str(configuration)]) as process:
        try:
            until(lambda: listens(port), "a broker")
            yield Broker(port, options)
        finally:
            process.terminate()
