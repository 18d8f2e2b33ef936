"""pydantic's findings as the one line a person needs: key, value, what is allowed."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_VALUE = 60  # characters of a wrong value that are shown


def key(error: ErrorDetails) -> tuple[str | int, ...]:
    """Where the wrong value stands; a choice that does not exist stands at its own key."""
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return (*error["loc"], error["ctx"]["discriminator"].strip("'"))
    return error["loc"]


def key_path(error: ErrorDetails) -> str:
    """Dotted path of the wrong key, list places in brackets: `cameras[0].name`."""
    path = ""
    for step in key(error):
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".")


def finding(error: ErrorDetails) -> str:
    """What is wrong and what is allowed, without the key."""
    if error["type"] == "missing":
        return "is missing, and has no default"
    if error["type"] == "extra_forbidden":
        return "is not a known key"
    if error["type"] == "union_tag_invalid":
        return f"{error['ctx']['tag']!r}: allowed are {error['ctx']['expected_tags']}"
    if error["type"] == "union_tag_not_found":
        return "is missing, and has no default"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"{shown(error['input'])}: {_allowed(error)}"


def shown(value: Any) -> str:
    """A value as it is quoted to a person: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def first_finding(error: ValidationError) -> str:
    """The first finding of `error`, and how many more there are."""
    first = error.errors(include_url=False)
    line = " ".join(part for part in (key_path(first[0]), finding(first[0])) if part)
    return line if len(first) == 1 else f"{line} (and {len(first) - 1} more)"


def _allowed(error: ErrorDetails) -> str:
    message = error["msg"]
    return message[:1].lower() + message[1:]
