"""How recipes are called: name, version, name/version."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"


LABEL = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,31})?$"
"""A recipe as robots and configurations name it: name, or name/version."""


Name = Annotated[str, Field(pattern=NAME)]


Version = Annotated[str, Field(pattern=VERSION)]
