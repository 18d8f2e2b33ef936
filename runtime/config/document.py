"""A YAML file as plain data that remembers the line of every key.

Every finding is a `Problem`: file, line, key and one sentence. A key that stands twice, a tab, an
alias or a second document is a problem here and not somebody's surprise at two in the morning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from voxgate.runtime.common.explain import shown

MAX_FILE_BYTES = 256 * 1024  # a cell's YAML has about 6 KiB
MAX_DEPTH = 20

Key = tuple[str | int, ...]
"""Place in the document, such as ("cameras", 0, "name")."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. line counts from 1; 0 = no line of the file is to blame."""

    file: Path
    line: int
    key: Key
    text: str

    def __str__(self) -> str:
        place = ":".join([str(self.file), *([str(self.line)] if self.line else []), *self._key()])
        return " ".join(f"{place}: {self.text}".split())

    def _key(self) -> list[str]:
        return [dotted(self.key)] if self.key else []


def dotted(key: Key) -> str:
    """`cameras[0].name`."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in key).lstrip(".")


@dataclass(slots=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and the line of each key."""

    file: Path
    data: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, wanted: tuple[str | int, ...]) -> Key:
        """The part of `wanted` that the file can have: validators put names of choices between."""
        key: Key = ()
        for step in wanted[:-1]:
            if (*key, step) in self.lines:
                key = (*key, step)
        return (*key, wanted[-1]) if wanted else key

    def line(self, key: Key) -> int:
        """The line of `key`, or of the nearest thing around it when it is not in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def problem(self, key: Key, text: str) -> Problem:
        """A problem at `key`."""
        return Problem(self.file, self.line(key), key, text)


def read_yaml(file: Path) -> Document:
    """The document in `file`; whatever is wrong with it is in `.problems`, nothing is raised."""
    document = Document(file)
    text = _read_text(document)
    if text is None:
        return document
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        document.problems.append(Problem(file, line, (), f"not YAML: {_syntax(error)}"))
    except (YAMLError, RecursionError) as error:
        document.problems.append(Problem(file, 0, (), f"not YAML: {error}"))
    else:
        _take_root(document, root)
    return document


def _read_text(document: Document) -> str | None:
    try:
        if document.file.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"larger than {MAX_FILE_BYTES // 1024} KiB: is this a cell's YAML?")
        return document.file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        document.problems.append(Problem(document.file, 0, (), f"cannot be read: {reason}"))
        return None


def _syntax(error: MarkedYAMLError) -> str:
    problem = error.problem or "unreadable"
    if "'\\t'" in problem:
        return "a tab stands where spaces must be: indent with spaces"
    return problem


def _take_root(document: Document, root: Node | None) -> None:
    if not isinstance(root, MappingNode):
        document.problems.append(
            Problem(document.file, 1, (), "expected `key: value` lines, see configs/")
        )
        return
    document.lines[()] = 1
    document.data = _Reader(document).value(root, ())


class _Reader:
    """Walks the node tree once; `seen` finds the aliases, which could expand without bound."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._seen: dict[int, Key] = {}
        self._scalars = YAML(typ="safe", pure=True).constructor

    def value(self, node: Node, key: Key) -> Any:
        if id(node) in self._seen:
            return self._refuse_alias(key, self._seen[id(node)])
        self._document.lines.setdefault(key, node.start_mark.line + 1)
        self._seen[id(node)] = key
        if len(key) > MAX_DEPTH:
            return self._refuse(node.start_mark.line + 1, key[:3], "nested too deeply")
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _mapping(self, node: MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, item in node.value:
            line = name_node.start_mark.line + 1
            name = str(name_node.value) if isinstance(name_node, ScalarNode) else "?"
            inner = (*key, name)
            if name in data:
                first = self._document.lines[inner]
                self._refuse(line, inner, f"stands twice, first in line {first}: remove one")
                continue
            self._document.lines[inner] = line
            data[name] = self.value(item, inner)
        return data

    def _scalar(self, node: Node, key: Key) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (YAMLError, ValueError):
            value = object()
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        return self._refuse(
            node.start_mark.line + 1,
            key,
            f"{shown(node.value)}: expected a text, number, true or false; quote it if it is text",
        )

    def _refuse_alias(self, key: Key, anchor: Key) -> None:
        """A line for the alias and one for what it repeats; the parser knows only the latter."""
        told = "aliases (*name) are not used here"
        self._refuse(self._document.line(key), key, f"{told}: write it out")
        again = f"{told}: take the anchor (&name) away"
        if not any(problem.text == again for problem in self._document.problems):
            self._refuse(self._document.line(anchor), anchor, again)

    def _refuse(self, line: int, key: Key, text: str) -> None:
        self._document.problems.append(Problem(self._document.file, line, key, text))
