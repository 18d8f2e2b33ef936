"""Models that `voxgate train` wrote: one file that names everything, the form's name first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from voxgate.export.features.weights_file import read_content
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

FORMAT, METHOD = "format", "method"
OURS = "voxgate-"  # every form begins so
UNFINISHED = ("identity", "history", "state")
"""What a training keeps, after each epoch, to go on from."""
UNFINISHED_ENGINE = "voxgate_kept"
"""The same, within what anomalib's engine keeps."""


def write_model(path: Path, form: str, method: str, content: Mapping[str, Any]) -> None:
    """The whole file or none. content: tensors, and plain words and numbers. Raises EngineError."""
    with whole_file(path) as written:
        torch.save({FORMAT: form, METHOD: method, **content}, written)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` when it is whole; until then the old one stays.

    Raises EngineError where it cannot be written.
    """
    written = path.with_name(path.name + ".new")
    try:
        yield written
        written.replace(path)
    except (OSError, RuntimeError) as error:  # the latter is torch's, of a full disk
        raise EngineError(
            f"{path}: cannot be written ({one_line(error)}): is the disk full? With room for it "
            "the same command goes on"
        ) from error
    finally:
        written.unlink(missing_ok=True)


def is_model(path: Path, content: object, form: str) -> bool:
    """Whether what was read from a file is such a model. Raises EngineError as `check_form`."""
    check_form(path, content, form)
    return isinstance(content, Mapping) and content.get(FORMAT) == form


def check_form(path: Path, content: object, form: str = "") -> None:
    """Raises EngineError for what `voxgate train` wrote and is not of this form: a model of another
    method, or a training that is not over."""
    if not isinstance(content, Mapping):
        return
    if content.keys() == set(UNFINISHED) or UNFINISHED_ENGINE in content:
        raise EngineError(
            f"{path}: is of a training that is not over: the same voxgate train command goes on "
            "from it, with --minutes 0 it writes the model as far as it came"
        )
    found = str(content.get(FORMAT))
    if found.startswith(OURS) and found != form:
        raise EngineError(f"{path}: is of {content[METHOD]}: voxgate export {content[METHOD]}")


def check_as_learnt(
    path: Path, said: object, learnt: Mapping[str, tuple[str, object]], held: Iterable[str] = ()
) -> None:
    """Raises EngineError where a person says otherwise than the model, which names everything.

    said: options, a dataclass that has a default for each. learnt: its field -> the option's name
    and what was learnt with. held: fields of files that the model holds.
    """
    default = {each.name: each.default for each in fields(said)}  # type: ignore[arg-type]
    for name in held:
        if getattr(said, name) is not None:
            option = "--" + name.replace("_", "-")
            raise EngineError(f"{path}: holds what {option} names: leave {option} out")
    for name, (option, value) in learnt.items():
        given = getattr(said, name)
        if given not in (default[name], value):
            learnt_so = f"without {option}" if value is False else f"with {option} {value}"
            said_so = option if given is True else f"{option} {given}"
            raise EngineError(
                f"{path}: was learnt {learnt_so}: leave {said_so} out, or train another with it"
            )


def read_model(path: Path, form: str, method: str, otherwise: str) -> Mapping[str, Any]:
    """What was written. Raises EngineError for a file of another form, with what to do
    otherwise, or of another method."""
    content = read_content(path, f"a model of voxgate train {method}")
    if not is_model(path, content, form):
        raise EngineError(f"{path}: voxgate train {method} did not write it: {otherwise}")
    if content[METHOD] != method:
        raise EngineError(f"{path}: is of {content[METHOD]}: voxgate export {content[METHOD]}")
    found: Mapping[str, Any] = content
    return found
