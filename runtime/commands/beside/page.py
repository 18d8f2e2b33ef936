"""`voxgate page`: a cell in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.runtime.commands.beside.peer import load_for_peer, usual_key
from voxgate.runtime.commands.options import CellFile, PeerKey


def page(
    config: CellFile,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Instead of page.port.")
    ] = None,
    key: PeerKey = None,
) -> None:
    """A cell in a browser: the last verdict, large; every job; cameras and disk; until Ctrl-C."""
    from voxgate.runtime.page.serve import serve

    cell = load_for_peer(config)
    if port is not None:
        cell = cell.model_copy(update={"page": cell.page.model_copy(update={"port": port})})
    scheme = "http" if cell.page.tls is None else "https"
    typer.echo(f"{scheme}://{cell.page.host}:{cell.page.port}/ shows {cell.cell}", err=True)
    serve(cell, key or usual_key(cell, "page"))
