"""What `voxgate run` will need of a cell whose YAML is sound: each thing is tried, none is kept.

Keys are those of the YAML, so that a finding can name its line.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from voxgate.runtime.cameras.from_config import check_devices
from voxgate.runtime.common.trusted.box_key import load
from voxgate.runtime.config.cameras import NetworkCamera
from voxgate.runtime.config.document import Key
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.config.security import Security
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.port_probe import Taken
from voxgate.runtime.errors import (
    CalibrationError,
    ConfigError,
    KeyFileError,
    RecipeError,
    ServiceError,
)
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.store import opened
from voxgate.runtime.telemetry.metrics_server import check_secrets
from voxgate.runtime.wire.curve import load_key_pair

Unmet = tuple[Key, str]
"""Where in the YAML, and what is wrong with it."""


def unmet(machine: Machine, config: CellConfig) -> Iterator[Unmet]:
    """What keeps this machine from serving the cell."""
    yield from _calibration(config)
    yield from _keys(config)
    yield from _folders(config)
    yield from _journal(config.journal.path)
    for key, taken in taken_ports(machine, config):
        yield key, f"{taken.why}: {taken.do}"


def default_recipe(config: CellConfig, calibrations: Mapping[str, Calibration]) -> Recipe | None:
    """The one that is prepared at start, as it is opened then; None: none is.

    Raises RecipeError for one that is damaged, not signed by a signer of the cell, or not of this
    calibration's part and camera.
    """
    name = config.recipes.default
    if name is None:
        return None
    recipe = opened(config.recipes, name)
    recipe.check_cameras(calibrations)
    recipe.check_pictures(config.in_colour)
    return recipe


def taken_ports(machine: Machine, config: CellConfig) -> Iterator[tuple[Key, Taken]]:
    """Endpoints that cannot be bound; those of this very cell's running service are its own."""
    served = is_served(machine, config.journal.path)
    for key, endpoint in _endpoints(config):
        taken = machine.why_taken(endpoint)
        if taken is not None and not (served and taken.in_use):
            yield key, taken


def is_served(machine: Machine, journal: Path) -> bool:
    """Whether a service holds this cell's journal; asking for the lock could keep one out."""
    try:
        inode = journal.with_name(journal.name + ".lock").stat().st_ino
    except OSError:
        return False  # never served, or not for this user to see
    locks = (machine.read("/proc/locks") or "").splitlines()
    return any("FLOCK" in lock and f":{inode} " in lock for lock in locks)


def existing(folder: Path) -> Path:
    """It, or what the service will make it in."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _calibration(config: CellConfig) -> Iterator[Unmet]:
    try:
        calibrations = {n: Calibration.load(path) for n, path in config.calibrations.items()}
    except CalibrationError as error:
        yield ("calibration",), str(error)
        return
    try:
        check_devices(config, calibrations)
    except ConfigError as error:
        yield ("sensor",) if config.sensor is not None else ("cameras",), str(error)
    try:
        default_recipe(config, calibrations)
    except RecipeError as error:
        # with `fallback` the service starts with the one before, and says so
        if not config.recipes.fallback:
            yield ("recipes", "default"), str(error)


def _keys(config: CellConfig) -> Iterator[Unmet]:
    if config.security is not None:
        yield from _own_key(config.security)
    if config.metrics.enabled:
        try:
            check_secrets(config.metrics)
        except KeyFileError as error:
            yield ("metrics",), str(error)


def _own_key(security: Security) -> Iterator[Unmet]:
    try:
        own = load_key_pair(security.secret_key).public.decode("ascii", "replace")
    except KeyFileError as error:
        yield ("security", "secret_key"), str(error)
        return
    for index, peer in enumerate(security.peers):
        if peer.public_key == own:
            what = f"{peer.name} has the box's own key: every peer needs one of its own"
            yield ("security", "peers", index, "public_key"), f"{what} (voxgate keys peer)"


def _folders(config: CellConfig) -> Iterator[Unmet]:
    folders: list[tuple[Key, Path]] = [(("journal", "path"), config.journal.path.parent)]
    if config.evidence is not None and config.evidence.enabled:
        folders.append((("evidence", "folder"), config.evidence.folder))
    for key, folder in folders:
        why = _why_not_written(existing(folder))
        if why is not None:
            what = f"{folder}: this user may not write there ({why})"
            yield key, f"{what}: give it a folder that it may write to"


def _why_not_written(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror


def _journal(path: Path) -> Iterator[Unmet]:
    """Whether what lies there is a journal that can be written on, and its key one that serves."""
    try:
        load(path)
    except ServiceError as error:
        yield ("journal", "path"), str(error)
    beside = (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", ".lock")))
    foreign = [each for each in beside if each.exists() and not os.access(each, os.R_OK | os.W_OK)]
    if foreign:
        yield ("journal", "path"), f"{foreign[0]}: this user may not write it: chown it"
    elif path.is_file():
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
                journal.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            yield ("journal", "path"), f"{path}: {error}: name another file"


def _endpoints(config: CellConfig) -> Iterator[tuple[Key, str]]:
    sockets, metrics = config.sockets, config.metrics
    yield ("sockets", "poses"), sockets.poses
    yield ("sockets", "commands"), sockets.commands
    yield ("sockets", "verdicts"), sockets.verdicts
    if sockets.pictures is not None:
        yield ("sockets", "pictures"), sockets.pictures
    for key, camera in config.devices_at():
        if isinstance(camera, NetworkCamera):
            yield (*key, "endpoint"), camera.endpoint
    if metrics.enabled:
        host = f"[{metrics.host}]" if ":" in metrics.host else metrics.host
        yield ("metrics", "port"), f"tcp://{host}:{metrics.port}"
