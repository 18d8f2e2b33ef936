"""Clouds without a format of their own: tables of numbers, and organised arrays of a sensor."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.place.points import Cloud, brightness, from_columns, number
from voxgate.calib.robot_poses.text_table import SPLIT, with_points

CLOUDS = ("xyz", "points", "cloud", "point_cloud", "pointcloud")
MOST_COLUMNS = 7


def table_cloud(content: bytes) -> Cloud:
    """Rows `x y z`, with grey, with a colour, or with both, or with a normal; in any order where a
    head names the columns. Raises ValueError."""
    head: list[str] = []
    rows = []
    for line in with_points(_decoded(content), least=3).splitlines():
        words = [word for word in SPLIT.split(line.split("#")[0].split("//")[0]) if word]
        try:
            numbers = [number(word) for word in words]
        except ValueError:
            numbers = []
        if numbers:
            rows.append(numbers)
        elif not rows:
            head = [word.lower() for word in SPLIT.split(line.strip(" /#")) if word] or head
    if len(rows) > 1 and len(rows[0]) == 1:
        rows = rows[1:]  # how many follow
    widths = {len(row) for row in rows}
    if widths == {len(head)} and set("xyz") <= set(head):
        return from_columns(dict(zip(head, np.array(rows, np.float64).T, strict=True)))
    if len(widths) != 1 or not widths <= {3, 4, 6, 7}:
        raise ValueError("rows must be x y z, x y z grey, or x y z red green blue")
    return _columns(np.array(rows, np.float64))


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def array_cloud(content: bytes) -> Cloud:
    """A numpy array (n, 3 to 7), (h, w, 3 to 7) or (3, h, w), one with the fields x, y and z, or an
    archive whose array is named after them. Raises ValueError."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"not a numpy file: {error}") from error
    if not isinstance(array, np.ndarray):
        array = _of_archive(array)
    if array.dtype.names:
        return from_columns({name.lower(): array[name].ravel() for name in array.dtype.names})
    if array.dtype.kind not in "fiu" or array.ndim < 2:
        raise ValueError("expected one array of numbers, x y z last")
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] > MOST_COLUMNS:
        array = np.moveaxis(array, 0, 2)
    return _organised(array)


def _of_archive(archive: Mapping[str, np.typing.NDArray[np.generic]]) -> Any:
    named = [name for name in archive if name.lower() in CLOUDS] or list(archive)
    if len(named) != 1:
        raise ValueError(f"which array holds the points? It has {', '.join(named)}: call it xyz")
    return archive[named[0]]


def picture_cloud(content: bytes) -> Cloud:
    """A picture of floats whose three channels are x, y and z. Raises ValueError."""
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    if picture is None or picture.ndim != 3 or picture.dtype.kind != "f":
        raise ValueError("expected a TIFF of floats with the channels x, y and z")
    return _organised(picture[..., 2::-1])


def _organised(array: np.typing.NDArray[np.generic]) -> Cloud:
    rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
    if rows.shape[1] not in (3, 4, 6, 7):
        raise ValueError(f"a point has x y z, and grey or a colour, got {rows.shape[1]} numbers")
    nowhere = (rows[:, :3] == 0).all(axis=1)  # where the sensor had no return
    return _columns(rows[~nowhere])


def _columns(rows: Array) -> Cloud:
    points, rest = rows[:, :3], rows[:, 3:]
    if rest.shape[1] == 1:
        return Cloud(points, rest[:, 0])
    if rest.shape[1] >= 3:
        colours = rest[:, -3:]
        if np.nanmin(colours, initial=0.0) < 0:  # a normal: its parts have signs
            return Cloud(points, rest[:, 0] if rest.shape[1] == 4 else None)
        return Cloud(points, brightness(colours))
    return Cloud(points)
