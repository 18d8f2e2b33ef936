"""`voxgate calib board`: a board to print."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson


class KindName(str, Enum):
    """What is printed."""

    CHARUCO = "charuco"
    CHEQUERBOARD = "chequerboard"
    CIRCLES = "circles"
    DOTS = "dots"
    APRILGRID = "aprilgrid"


# columns, rows, pitch, marker or dot: each fits on A4
USUAL = {
    KindName.CHARUCO: (14, 10, 18.0, 13.5),
    KindName.CHEQUERBOARD: (10, 7, 25.0, 0.0),
    KindName.CIRCLES: (10, 7, 25.0, 12.0),
    KindName.DOTS: (4, 11, 20.0, 14.0),
    KindName.APRILGRID: (6, 6, 28.0, 22.0),
}


def board(
    out: Annotated[Path, typer.Option(help="Folder for board.pdf, board.png and board.json.")],
    kind: Annotated[
        KindName, typer.Option(help="ChArUco is found also when it is cut off or turned.")
    ] = KindName.CHARUCO,
    columns: Annotated[
        int | None, typer.Option(help="Squares across; of dots: dots in a row.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Squares, or rows of dots, down.")] = None,
    pitch_mm: Annotated[
        float | None, typer.Option(help="Side of a square; dots: distance (dots: of rows).")
    ] = None,
    feature_mm: Annotated[
        float | None, typer.Option(help="Side of a marker, or diameter of a dot.")
    ] = None,
    dictionary: Annotated[
        str | None,
        typer.Option(help="Of the markers; default: 5x5_100, of an AprilGrid apriltag_36h11."),
    ] = None,
    page: Annotated[str, typer.Option(help="a4, a3, a2, a1, letter, or fit.")] = "a4",
    dpi: Annotated[int, typer.Option(min=72, max=2400, help="Of the PNG.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Make a board to print at true scale, and the description file that the others ask for."""
    from voxgate.calib.board.board import Board, Kind
    from voxgate.calib.board.board_print import describe, write_board
    from voxgate.runtime.errors import CalibrationError

    usual = USUAL[kind]
    with errors_as_json(as_json):
        try:
            made = Board(
                Kind(kind.value),
                usual[0] if columns is None else columns,
                usual[1] if rows is None else rows,
                usual[2] if pitch_mm is None else pitch_mm,
                usual[3] if feature_mm is None else feature_mm,
                _dictionary(kind, dictionary),
            )
        except ValueError as error:
            raise CalibrationError(str(error)) from error
        files = write_board(made, out, page, dpi)
    if as_json:
        typer.echo(json.dumps({"board": describe(made), "files": [str(file) for file in files]}))
        return
    for file in files:
        typer.echo(f"written: {file}")
    typer.echo(
        f"{describe(made)}: print the PDF at 100 %, glue it onto glass or aluminium, measure "
        "it, and write the measured pitch into board.json"
    )
    if made.half_turn_ambiguous:
        typer.echo("it looks the same upside down: good for intrinsics, not for handeye")


def _dictionary(kind: KindName, said: str | None) -> str:
    usual = {KindName.CHARUCO: "5x5_100", KindName.APRILGRID: "apriltag_36h11"}
    return (said or usual[kind]) if kind in usual else ""
