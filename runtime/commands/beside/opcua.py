"""`voxgate opcua`: a cell for a PLC."""

from __future__ import annotations

import typer

from voxgate.runtime.commands.beside.peer import load_for_peer, usual_key
from voxgate.runtime.commands.options import CellFile, PeerKey


def opcua(config: CellFile, key: PeerKey = None) -> None:
    """A cell as an OPC UA machine vision system (OPC 40100-1), for a PLC; until Ctrl-C."""
    from voxgate.runtime.errors import ConfigError
    from voxgate.runtime.telemetry.logs import set_up

    cell = load_for_peer(config)
    set_up(cell.log.level)
    try:
        from voxgate.runtime.opcua.serve import serve
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error}: pip install 'voxgate[opcua]'") from error
    if cell.opcua is not None:
        typer.echo(
            f"opc.tcp://{cell.opcua.host}:{cell.opcua.port}/voxgate serves {cell.cell}", err=True
        )
    serve(cell, key or usual_key(cell, "opcua"))
