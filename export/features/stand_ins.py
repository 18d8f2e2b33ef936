"""What stands in a checkpoint beside its tensors, read without its code: names, arguments, state.

torch refuses a file that names any class it does not know. Paths, dates, settings and the parts of
a training are harmless as long as nothing of theirs runs: each is read as a record of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

HARMLESS = re.compile(
    r"(pathlib(\._local)?|datetime|argparse|types|uuid)\.[A-Za-z]+"
    r"|numpy\.(core|_core)\.multiarray\.(scalar|_reconstruct)"
    r"|numpy\.(dtype|ndarray|dtypes\.[A-Z]\w+)"
    r"|(omegaconf|yacs|easydict|torchvision\.transforms|torchmetrics|lightning|pytorch_lightning"
    r"|lightning_fabric|anomalib)(\.\w+)*\.[A-Z]\w*"
)


class Record:
    """One object of a file: the arguments it was made with, and what was then put into it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.arguments = getattr(self, "arguments", ())
        self.state = state if isinstance(state, Mapping) else {"state": state}

    @property
    def of(self) -> str:
        """Name of the class that it stands for, without its module."""
        return type(self).__name__

    def part(self, name: str) -> Any:
        """An attribute, also one that torch keeps among a module's parts; None: there is none."""
        parts = self.state.get("_modules") or {}
        return self.state.get(name, parts.get(name))


def stand_ins(path: Path, known: set[str]) -> list[tuple[type[Record], str]]:
    """A class for each harmless name in the file that torch would refuse."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (RuntimeError, ValueError, OSError):
        return []  # no archive: read as it is
    wanted = sorted(name for name in set(names) - known if HARMLESS.fullmatch(name))
    return [(type(name.rpartition(".")[2], (Record,), {}), name) for name in wanted]
