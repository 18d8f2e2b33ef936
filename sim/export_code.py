"""What code an export runs, as a digest that changes with its statements, not with its comments."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import voxgate

EXPORT = "voxgate.export.commands.reference"
LIBRARIES = ("numba", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "scipy")
"""What computes or writes an export's figures: another version may give others."""


@cache
def export_digest() -> bytes:
    """SHA-256 over every module that an export may import, Python and the libraries below it."""
    python = ".".join(map(str, sys.version_info[:2]))
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    statements = [f"{name} {code_of(file)}" for name, file in sorted(modules_of(EXPORT).items())]
    return hashlib.sha256("\0".join([python, *libraries, *statements]).encode()).digest()


def code_of(file: Path) -> str:
    """A module's statements, without comments, docstrings, line numbers and layout."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_bare_text(line)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def modules_of(entry: str) -> dict[str, Path]:
    """Name -> file of `entry` and of what it imports of ours, at once, when called or by name."""
    found: dict[str, Path] = {}
    todo = [entry]
    while todo:
        name = todo.pop()
        file = _file_of(name)
        if file is not None and name not in found:
            found[name] = file
            todo += _named_in(file)
            todo += [name.rpartition(".")[0]]  # importing it runs the rooms above it
    return found


def _named_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # the backends' tables name modules


def _file_of(name: str) -> Path | None:
    first, *rest = name.split(".")
    if first != voxgate.__name__:
        return None
    place = Path(voxgate.__file__).parent.joinpath(*rest)
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _is_bare_text(node: ast.stmt) -> bool:
    """A docstring, of whatever it stands below."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
