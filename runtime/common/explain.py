"""pydantic's findings as the one line a person needs: key, value, what is allowed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from voxgate.runtime.common.pattern_words import in_words
from voxgate.runtime.common.text import legible

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
        path += f"[{step}]" if isinstance(step, int) else f".{legible(step)[:MAX_VALUE]}"
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


_QUANTITY = re.compile(r"(?P<number>[-+]?\d+(?:[.,]\d+)?) *(?P<unit>[A-Za-zµ%°]*)")


def _allowed(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"the pattern is {in_words(error['ctx']['pattern'])}"
    if error["type"] == "too_long":
        return f"{error['ctx']['actual_length']} are given, at most {error['ctx']['max_length']}"
    message = error["msg"]
    return message[:1].lower() + message[1:] + _mend(error)


def _mend(error: ErrorDetails) -> str:
    """What to change in a value that is nearly right."""
    value, kind = error["input"], error["type"]
    if kind not in {"int_type", "float_type", "bool_type", "string_type"}:
        return ""
    if value is None:
        return ": nothing stands there"
    if kind == "string_type":
        return ": put it in quotes"
    if kind == "bool_type":
        return ": true or false, without quotes"
    return _mend_number(value, str(error["loc"][-1])) if isinstance(value, str) else ""


def _mend_number(value: str, key: str) -> str:
    found = _QUANTITY.fullmatch(value.strip())
    if found is None:
        return ""
    if found["unit"]:
        _, underscore, unit = key.rpartition("_")
        return f"{f' of {unit}' if underscore else ''}, without the unit"
    return ": a decimal point, no comma" if "," in value else ": remove the quotes"
