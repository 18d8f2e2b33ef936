"""How recipes are called: name, version, name/version; and the cameras of a cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"


LABEL = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,31})?$"
"""A recipe as robots and configurations name it: name, or name/version."""


Name = Annotated[str, Field(pattern=NAME)]


Version = Annotated[str, Field(pattern=VERSION)]


MAX_CAMERAS = 8
"""Of a cell: each has a process and a ring of pictures of its own."""


def camera_names(names: Sequence[str]) -> tuple[str, ...]:
    """Of several cameras, each once. Raises ValueError."""
    if not 2 <= len(names) <= MAX_CAMERAS:
        raise ValueError(f"several cameras are 2 to {MAX_CAMERAS}, got {len(names)}")
    for name in names:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"camera {name!r}: a name must match {NAME}")
    if len(set(names)) < len(names):
        raise ValueError(f"each camera needs a name of its own, got {', '.join(names)}")
    return tuple(names)
