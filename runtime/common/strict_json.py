"""JSON as a machine should read it: finite numbers, no key twice, every field asked for by name.

The standard reader accepts `NaN`, `Infinity` and repeated keys. Here each of them is a ValueError
whose one line says key, value and what is allowed; callers put file and line in front of it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeGuard

import numpy as np
import numpy.typing as npt

MAX_QUOTED = 60  # characters of a wrong value that a message repeats


def parse_object(text: str) -> Fields:
    """The JSON object in `text`. Raises ValueError (one line) for anything else."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} " if error.lineno > 1 else ""
        raise ValueError(f"not JSON: {error.msg} at {where}column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON we read: nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object {{...}}, got {quoted(value)}")
    return Fields(value)


def quoted(value: object) -> str:
    """`value` as JSON on one line, shortened, for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 3] + "..."


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one JSON object; each getter checks type and range or raises ValueError."""

    values: Mapping[str, object]
    inside: str = ""  # path of this object, such as "units."

    def object_at(self, key: str) -> Fields:
        """The object under `key`."""
        value = self._value(key)
        if not isinstance(value, dict):
            self._refuse(key, value, "an object {...}")
        return Fields(value, f"{self.inside}{key}.")

    def objects(self, key: str, most: int) -> tuple[Fields, ...]:
        """The list of at most `most` objects under `key`."""
        value = self._value(key)
        if not isinstance(value, list) or len(value) > most:
            self._refuse(key, value, f"a list of at most {most} objects")
        return tuple(
            Fields({f"{key}[{index}]": item}, self.inside).object_at(f"{key}[{index}]")
            for index, item in enumerate(value)
        )

    def text(self, key: str) -> str:
        """The string under `key`: not empty, at most 1000 characters."""
        value = self._value(key)
        if not isinstance(value, str) or not 0 < len(value) <= 1000:
            self._refuse(key, value, "a text of 1 to 1000 characters")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """The whole number under `key`, low <= value <= high."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._refuse(key, value, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """The number under `key`, low <= value <= high."""
        value = self._value(key)
        if not _is_number(value) or not low <= value <= high:
            self._refuse(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def numbers(self, key: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """The (nested) list of numbers under `key`, of exactly `shape`, float64."""
        value = self._value(key)
        if not _has_shape(value, shape):
            wanted = " x ".join(str(length) for length in shape)
            self._refuse(key, value, f"{wanted} finite numbers")
        return np.array(value, dtype=np.float64)

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.values.get(key) is not None

    def _value(self, key: str) -> object:
        if key not in self.values:
            raise ValueError(f"{self.inside}{key} is missing")
        return self.values[key]

    def _refuse(self, key: str, value: object, allowed: str) -> NoReturn:
        raise ValueError(f"{self.inside}{key} must be {allowed}, got {quoted(value)}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _has_shape(value: object, shape: tuple[int, ...]) -> bool:
    if not shape:
        # an integer beyond float64 would overflow when it becomes an array
        return _is_number(value) and abs(value) <= sys.float_info.max
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(_has_shape(item, shape[1:]) for item in value)
    )


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"the key {quoted(key)} stands twice in one object")
        seen[key] = value
    return seen


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, got {name}")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"numbers must be finite, got {digits[:MAX_QUOTED]}")
    return value
