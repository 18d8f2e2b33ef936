"""Models that `voxgate train` wrote: one file that names everything, the form's name first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from voxgate.export.features.checkpoint import read_content
from voxgate.runtime.errors import EngineError

FORMAT, METHOD = "format", "method"


def write_model(path: Path, form: str, method: str, content: Mapping[str, Any]) -> None:
    """The whole file or none. content: tensors, and plain words and numbers."""
    written = path.with_name(path.name + ".new")
    torch.save({FORMAT: form, METHOD: method, **content}, written)
    written.replace(path)


def is_model(content: object, form: str) -> bool:
    """Whether what was read from a file is such a model."""
    return isinstance(content, Mapping) and content.get(FORMAT) == form


def read_model(path: Path, form: str, method: str, otherwise: str) -> Mapping[str, Any]:
    """What was written. Raises EngineError for a file of another form, with what to do
    otherwise, or of another method."""
    content = read_content(path, f"a model of voxgate train {method}")
    if not is_model(content, form):
        raise EngineError(f"{path}: voxgate train {method} did not write it: {otherwise}")
    if content[METHOD] != method:
        raise EngineError(f"{path}: is of {content[METHOD]}: voxgate export {content[METHOD]}")
    found: Mapping[str, Any] = content
    return found
