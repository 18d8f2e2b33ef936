"""JSON, YAML, XML and numpy's files as trees of plain objects, read without running anything."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from voxgate.calib.robot_poses.gathered import ROBOTS, one_by_one

TAGS = re.compile(r"(?m)(?<=[\s:-])!!?[\w:/.%<>-]+")
YAML_LINE = re.compile(r"(?m)^(---|%YAML|\s*- [\w-]+:|[\w-]+:(\s|$))")
MAX_NODES = 2_000_000
ONE_POSE = {(4, 4), (3, 4), (6,), (7,)}
SPREADSHEET = "not an archive of numpy's: if it is a spreadsheet, save it as CSV"


def is_json(text: str) -> bool:
    """By its first sign."""
    return text.lstrip()[:1] in ("{", "[")


def is_xml(text: str) -> bool:
    """By its first sign."""
    return text.lstrip()[:1] == "<"


def is_yaml(text: str) -> bool:
    """By a line that only YAML has."""
    return YAML_LINE.search(text) is not None


def json_tree(text: str) -> Any:
    """One document, or one a line. Raises ValueError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip()[:1] in "{[" for line in lines):
            raise ValueError(
                f"begins like JSON and is not JSON: {error.msg} at line {error.lineno}"
            ) from error
        return [json.loads(line) for line in lines]
    except RecursionError as error:
        raise ValueError("nested too deeply for poses") from error


def yaml_tree(text: str) -> Any:
    """All documents of a file; OpenCV's and Python's own tags are left out. Raises ValueError."""
    lines = text.lstrip("\ufeff").splitlines()
    if lines and lines[0].startswith("%YAML"):
        lines = lines[1:]
    plain = TAGS.sub("", "\n".join(lines))
    if re.search(r"(?m)[:-]\s*\*\w+", plain):
        raise ValueError("YAML with aliases (*name) is not read: save the poses without them")
    try:
        found = [each for each in YAML(typ="safe").load_all(plain) if each is not None]
    except (YAMLError, RecursionError) as error:
        words = " ".join(str(error).split())[:120]
        raise ValueError(f"not YAML that we read: {words}") from error
    return found[0] if len(found) == 1 else found


def xml_tree(text: str) -> Any:
    """Elements as objects, their words as numbers where they are. Raises ValueError."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("XML with a document type is not read")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    return _element(root)


def numpy_tree(content: bytes) -> Any:
    """An array, or all of an archive, as nested lists. Raises ValueError."""
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
    except BadZipFile as error:
        raise ValueError(SPREADSHEET) from error
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"not a numpy file that we read: {error}") from error
    if isinstance(loaded, np.ndarray):
        return _array(loaded)
    with loaded:
        if any(name.endswith(".xml") for name in loaded.files):
            raise ValueError(SPREADSHEET)
        arrays = {name: np.asarray(loaded[name]) for name in loaded.files}
    return _archive(arrays)


def _archive(arrays: Mapping[str, np.typing.NDArray[Any]]) -> Any:
    turns = {name: each for name, each in arrays.items() if each.shape[1:] == (3, 3)}
    shifts = {name: each for name, each in arrays.items() if each.shape[1:] in ((3,), (3, 1))}
    stacks = {name: each for name, each in arrays.items() if each.ndim >= 2}
    if turns and shifts:
        turn, shift = _robots(turns), _robots(shifts)
        return [
            {"R": r.ravel().tolist(), "t": t.ravel().tolist()}
            for r, t in zip(turn, shift, strict=True)
        ]
    gathered = one_by_one({name: each.tolist() for name, each in arrays.items()})
    if isinstance(gathered, list):
        return gathered
    single = {each.shape for each in arrays.values()}
    if len(arrays) > 1 and len(single) == 1 and single <= ONE_POSE:
        return {name: each.tolist() for name, each in arrays.items()}
    return _array(_robots(stacks or dict(arrays)))


def _robots(arrays: Mapping[str, np.typing.NDArray[Any]]) -> np.typing.NDArray[Any]:
    """The only array, or the one whose name says that it is the robot's."""
    named = [name for name in arrays if ROBOTS.search(name)]
    chosen = list(arrays) if len(arrays) == 1 else named
    if len(chosen) != 1:
        raise ValueError(f"which array holds the robot's poses? It has {', '.join(arrays)}")
    return arrays[chosen[0]]


def _array(array: np.typing.NDArray[Any]) -> Any:
    if array.dtype.kind not in "fiu" or array.size > MAX_NODES:
        raise ValueError(f"expected numbers, got {array.size} of {array.dtype}")
    if array.ndim == 3 and array.shape[:2] == (4, 4) and array.shape[1:] != (4, 4):
        array = np.moveaxis(array, 2, 0)
    if array.ndim == 2 and array.shape in ((4, 4), (3, 4)):
        return [array.tolist()]
    return array.astype(np.float64).tolist()


def _element(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return _words(element.text or "") if not element.attrib else _attributes(element)
    own = {key: value for key, value in element.attrib.items() if key != "type_id"}
    found: dict[str, Any] = {key: _words(value) for key, value in own.items()}
    for child in children:
        value = _element(child)
        if child.tag not in found:
            found[child.tag] = value
        elif isinstance(found[child.tag], _Several):
            found[child.tag].append(value)
        else:
            found[child.tag] = _Several([found[child.tag], value])
    return found


class _Several(list[Any]):
    """Elements of one name."""


def _attributes(element: ElementTree.Element) -> Any:
    text = _words(element.text or "")
    return text if text else {key: _words(value) for key, value in element.attrib.items()}


def _words(text: str) -> Any:
    words = re.split(r"[\s,;]+", text.strip().strip("[]"))
    try:
        numbers = [float(word) for word in words if word]
    except ValueError:
        return text.strip()
    return numbers[0] if len(numbers) == 1 else numbers
