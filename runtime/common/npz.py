"""Arrays of an .npz that somebody else wrote: no more memory than it says, and it says how much."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from voxgate.runtime.common.text import one_line

MAX_BYTES = 1 << 31  # unpacked; a golden scan of 64 views of 12 megapixels is half of it
MAX_ARRAYS = 4096


def arrays_of(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Name -> array. Raises ValueError for whatever is wrong with the archive.

    Sizes are checked before anything is unpacked: a file of a kilobyte can claim a terabyte.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _checked(archive.infolist())
            return {m.filename.removesuffix(".npy"): _array(archive, m) for m in members}
    except _BROKEN as error:
        raise ValueError(f"no archive of arrays: {one_line(error)}") from error


def typed(
    arrays: Mapping[str, npt.NDArray[Any]], name: str, dtype: type[np.generic]
) -> npt.NDArray[Any]:
    """The array of this name, of exactly this type: a cast could change what it says.

    Raises ValueError.
    """
    found = arrays.get(name)
    if found is None or found.dtype != dtype:
        kind = "none" if found is None else str(found.dtype)
        raise ValueError(f"array {name} must be {np.dtype(dtype)}, got {kind}")
    return found


_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
"""What zipfile raises for damage, for encryption and for methods that it does not know."""


def _checked(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    if len(members) > MAX_ARRAYS:
        raise ValueError(f"{len(members)} arrays, at most {MAX_ARRAYS} are read")
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes unpacked, at most {MAX_BYTES} are read")
    return members


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as opened:
        file = cast(zipfile.ZipExtFile, opened)
        version = npy.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(file)
        else:
            raise ValueError(f"{member.filename}: .npy of version {version} is not read")
        if dtype.hasobject:
            raise ValueError(f"{member.filename}: holds Python objects, not numbers")
        left = member.file_size - file.tell()
        count = int(np.prod(shape, dtype=object))
        if count < 0 or left != count * dtype.itemsize:
            raise ValueError(f"{member.filename}: {left} bytes are not {shape} of {dtype}")
        found: npt.NDArray[Any] = np.empty(count, dtype)
        if file.readinto(found.view(np.uint8).data) != left:
            raise ValueError(f"{member.filename}: is shorter than it says")
    return found.reshape(shape, order="F" if fortran else "C")
