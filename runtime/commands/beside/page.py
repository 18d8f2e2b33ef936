"""`voxgate page`: a cell in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.options import CellFile, PeerKey

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.runtime.config.sections import CellConfig

UNUSED = ("recipes", "security")  # their secrets are not for the page's user to see


def page(
    config: CellFile,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Instead of page.port.")
    ] = None,
    key: PeerKey = None,
) -> None:
    """A cell in a browser: the last verdict, large; every job; cameras and disk; until Ctrl-C."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.page.serve import serve

    cell = load_cell(config, without=UNUSED).config
    if port is not None:
        cell = cell.model_copy(update={"page": cell.page.model_copy(update={"port": port})})
    scheme = "http" if cell.page.tls is None else "https"
    typer.echo(f"{scheme}://{cell.page.host}:{cell.page.port}/ shows {cell.cell}", err=True)
    serve(cell, key or own_key(cell, "page"))


def own_key(cell: CellConfig, who: str) -> Path | None:
    """Of the page, or the mirror, as a peer of the cell, where it has its usual place."""
    if cell.security is None:
        return None
    usual = cell.security.secret_key.parent / who / f"{who}.key_secret"
    return usual if usual.is_file() else None
