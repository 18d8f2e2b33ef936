"""`voxgate init`: a new cell's folder, by a few questions or by options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.errors import ConfigError

if TYPE_CHECKING:
    from voxgate.runtime.config.new_cell import NewCell

CELL_FILE = "cell.yaml"
NETWORK = "network"
ROBOT_ROLES = ("poses", "commands", "verdicts")

Ask = Callable[[str, str], str]
"""A question, and the answer that holds when nothing is typed."""


def init(
    folder: Annotated[Path, typer.Argument(help="Made where it is not there.")] = Path(),
    cell: Annotated[str | None, typer.Option(help="Its name, part of every topic.")] = None,
    part: Annotated[str | None, typer.Option(help="What is inspected first.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="A GenTL producer (.cti), or `network`: virtual or remote.")
    ] = None,
    serial: Annotated[str | None, typer.Option(help="Which of the producer's cameras.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Of this box for the robot; beyond loopback with keys.")
    ] = None,
    port: Annotated[int, typer.Option(min=1024, max=65_000, help="The first of ten.")] = 5560,
    keys: Annotated[bool, typer.Option("--keys", help="Make keys for box and robot.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: options and defaults.")] = False,
) -> None:
    """Describe a new cell: asks, writes a commented cell.yaml, and says what to type next."""
    from voxgate.runtime.common.endpoints import is_loopback
    from voxgate.runtime.config.new_cell import NewCell

    file = folder / CELL_FILE
    if file.exists():
        raise ConfigError(f"{file} is there already: change it, or name another folder")
    ask = _asking(yes)
    producer, number = _camera(
        camera or ask("camera: a .cti file, or network", _usual()), serial, ask
    )
    described = NewCell(
        cell=cell or ask("name of the cell", "cell-1"),
        part=part or ask("name of the first part", "part"),
        address=address or ask("address of this box for the robot", "127.0.0.1"),
        first_port=port,
        producer=producer,
        serial_number=number,
    )
    described.check()
    (folder / "recipes").mkdir(parents=True, exist_ok=True)
    if keys or not is_loopback(described.address):
        described = _with_keys(described, folder)
    file.write_text(described.to_yaml(), encoding="utf-8")
    for line in _next(described, file):
        typer.echo(line)


def _asking(yes: bool) -> Ask:
    if yes:
        return lambda question, usual: usual
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to ask: --yes takes what no option says as usual")
    return lambda question, usual: str(typer.prompt(question, default=usual, err=True))


def _usual() -> str:
    """The first producer that is installed."""
    from voxgate.runtime.doctor.camera import SEARCH_PATH

    folders = os.environ.get(SEARCH_PATH, "").split(os.pathsep)
    found = (file for folder in folders if folder for file in sorted(Path(folder).glob("*.cti")))
    return str(next(found, NETWORK))


def _camera(chosen: str, serial: str | None, ask: Ask) -> tuple[Path | None, str]:
    """The producer and the serial number."""
    if chosen == NETWORK:
        return None, ""
    producer = Path(chosen).resolve()
    if not producer.is_file():
        raise ConfigError(f"{chosen}: no such producer: the path of a .cti file, or `{NETWORK}`")
    return producer, serial or _chosen_serial(producer, ask)


def _chosen_serial(producer: Path, ask: Ask) -> str:
    from voxgate.runtime.cameras.genicam.probe import list_cameras

    found = list_cameras(str(producer))
    if not found:
        raise ConfigError(f"{producer} sees no camera: check cable, power and address, or --serial")
    for each in found:
        typer.echo(f"{each.serial_number}: {each.vendor} {each.model}, {each.status}", err=True)
    return ask("serial number", found[0].serial_number)


def _with_keys(cell: NewCell, folder: Path) -> NewCell:
    from dataclasses import replace

    from voxgate.runtime.wire.keys import make_key_pair

    make_key_pair(folder / "keys", "box", for_group=True)
    _, robot = make_key_pair(folder / "robot", "robot")
    roles = ", ".join(ROBOT_ROLES if cell.producer else (*ROBOT_ROLES, "frames"))
    peer = f'{{name: robot, roles: [{roles}], public_key: "{robot.public.decode()}"}}'
    lines = ("", "security:", "  secret_key: keys/box.key_secret", "  peers:", f"    - {peer}")
    return replace(cell, keys=lines)


def _next(cell: NewCell, file: Path) -> Iterator[str]:
    folder = file.parent
    yield f"{file} is written. Next:"
    if not (folder / "calibration.json").exists():
        yield f"  voxgate calib board --out {folder / 'board'}   # then lens, robot, part"
    yield f"  voxgate record {folder / 'recordings'} -c {file}   # one job on a good part"
    yield (
        f"  voxgate export reference --scan {folder / 'recordings'}/JOB.mcap "
        f"--out {folder / 'recipes' / cell.part / '1'}"
    )
    if cell.keys:
        yield f"{folder / 'robot'} goes to the robot's program, with the box's public key"
