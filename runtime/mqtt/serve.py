"""The mirror's process: it listens to the box as any peer with the role verdicts does."""

from __future__ import annotations

import os
from pathlib import Path

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError
from voxgate.runtime.mqtt.broker import Broker
from voxgate.runtime.mqtt.topics import ONLINE, Mirror
from voxgate.runtime.remote.client import Client

NICE = 10  # whoever reads there, a verdict at the robot comes first


def serve(config: CellConfig, key: Path | None = None) -> None:
    """Until SIGINT or SIGTERM. Raises ConfigError without a broker, and as Client and Broker do."""
    settings = config.mqtt
    if settings is None:
        raise ConfigError("the cell names no broker: give mqtt.broker in its YAML")
    os.nice(NICE)
    mirror = Mirror(settings.prefix, config.cell)
    with (
        Client(config, key) as client,
        Broker(settings, config.cell, mirror.topic(ONLINE), mirror.everything) as broker,
    ):
        for said in client.listen():
            broker.tell(mirror.hear(said))
