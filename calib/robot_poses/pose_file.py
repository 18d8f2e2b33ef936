"""Robot poses from files: tables, JSON, YAML, XML, numpy's, robots' programs, a folder of them.

A row may begin or end with the name of its picture. What the numbers mean is `pose_forms`'s
business; what the file says of that is a hint.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from voxgate.calib.robot_poses.documents import (
    is_json,
    is_xml,
    is_yaml,
    json_tree,
    numpy_tree,
    xml_tree,
    yaml_tree,
)
from voxgate.calib.robot_poses.printouts import printed_rows
from voxgate.calib.robot_poses.programs import program_rows
from voxgate.calib.robot_poses.rows import PoseTable, Row, table
from voxgate.calib.robot_poses.text_table import text_rows
from voxgate.calib.robot_poses.tree import SUFFIX, tree_rows
from voxgate.runtime.common.text import natural
from voxgate.runtime.errors import CalibrationError

MAX_BYTES = 16 << 20
NUMPY = (b"\x93NUMPY", b"PK\x03\x04")
# what numpy prints has no commas
PRINTED = re.compile(r"[\[\]\s\d.eE+-]+")
SUFFIXES = (".dat", ".txt", ".csv", ".json", ".yaml", ".yml", ".xml", ".npy")


def read_poses(path: Path) -> PoseTable:
    """Every pose in a file, or in the files of a folder in the natural order of their names.

    Raises CalibrationError: file, line, and what a pose looks like.
    """
    try:
        if path.is_dir():
            return table([_only(file) for file in pose_files(path)], loose_names=True)
        rows = _rows(path.read_bytes())
        pictures = any(SUFFIX.search(row.name or "") for row in rows)
        keyed = rows and rows[0].name is not None and not pictures
        return table(rows, loose_names=bool(keyed))
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file; robot poses stand in a table") from error
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: {error}") from error


def pose_files(folder: Path) -> list[Path]:
    """Those of a folder that may hold a pose each, in the natural order of their names."""
    files = [f for f in folder.iterdir() if f.is_file() and f.suffix.lower() in SUFFIXES]
    return sorted((f for f in files if f.name[0] != "."), key=lambda file: natural(file.name))


def _only(file: Path) -> Row:
    try:
        rows = _rows(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    if len(rows) != 1:
        raise ValueError(f"{file.name} has {len(rows)} poses, one file per picture has one")
    return Row(rows[0].numbers, file.stem, rows[0].said)


def _rows(content: bytes) -> list[Row]:
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes, so not a table of poses")
    if content.startswith(NUMPY):
        return tree_rows(numpy_tree(content))
    text = _decoded(content)
    program = program_rows(text) or printed_rows(text)
    if program:
        return program
    if is_json(text) and not PRINTED.fullmatch(text):
        return tree_rows(json_tree(text))
    if is_xml(text):
        return tree_rows(xml_tree(text))
    if is_yaml(text):
        return tree_rows(yaml_tree(text))
    return text_rows(text)


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16 by its mark or its zeros, else as Western Windows writes it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content[:200]:
        return _of_two_bytes(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _of_two_bytes(content: bytes) -> str:
    """UTF-16 without its mark: of what a table holds every other byte is zero."""
    zeros = [content[start:200:2].count(0) for start in (0, 1)]
    if max(zeros) < len(content[:200]) // 3 or min(zeros) > 0:
        raise ValueError("not text: save the poses as a table (CSV), JSON or YAML")
    return content.decode("utf-16-le" if zeros[1] else "utf-16-be")


def matching(poses: PoseTable, pictures: Sequence[str]) -> list[int]:
    """For every picture, by file name, the number of its row.

    Rows without names belong to the pictures in order; then there must be as many. So do rows whose
    names are keys or files' names that are not the pictures'.
    Raises CalibrationError for a picture without a row.
    """
    rows = {_stem(name): row for row, name in enumerate(poses.names or ())}
    stems = [_stem(name) for name in pictures]
    strangers = poses.loose_names and not set(stems) & set(rows)
    if poses.names is None or strangers:
        if len(poses.numbers) != len(pictures):
            raise CalibrationError(
                f"{len(pictures)} pictures but {len(poses.numbers)} poses, and the poses do not "
                "name their pictures: add a first column with the file names"
            )
        return list(range(len(pictures)))
    missing = [name for name, stem in zip(pictures, stems, strict=True) if stem not in rows]
    if missing:
        raise CalibrationError(f"no pose is named after {missing[0]} ({len(missing)} pictures)")
    return [rows[stem] for stem in stems]


def _stem(name: str) -> str:
    """Without folders, as any computer writes them, and without the suffix."""
    return PureWindowsPath(name).stem
