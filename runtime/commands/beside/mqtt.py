"""`voxgate mqtt`: a cell told again to a broker."""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType

import typer

from voxgate.runtime.commands.beside.peer import load_for_peer, usual_key
from voxgate.runtime.commands.options import CellFile, PeerKey


def mqtt(config: CellFile, key: PeerKey = None) -> None:
    """A cell told again to an MQTT broker: online, state, the last verdict; until Ctrl-C."""
    from voxgate.runtime.mqtt.serve import serve
    from voxgate.runtime.telemetry.logs import set_up

    cell = load_for_peer(config)
    set_up(cell.log.level)
    signal.signal(signal.SIGTERM, _stop)
    if cell.mqtt is not None:
        root = f"{cell.mqtt.prefix}/{cell.cell}"
        typer.echo(f"{cell.mqtt.broker}:{cell.mqtt.asked_port} is told {root}/#", err=True)
    with suppress(KeyboardInterrupt):
        serve(cell, key or usual_key(cell, "mqtt"))


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
