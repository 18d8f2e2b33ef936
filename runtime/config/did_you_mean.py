"""Which key somebody meant who wrote one that does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from voxgate.runtime.config.document import Key
from voxgate.runtime.config.sections import CellConfig

LIKENESS = 0.6  # of difflib: `hartbeat` and `heartbeat_ms` are 0.8 alike
Schema = dict[str, Any]


def did_you_mean(key: Key) -> str:
    """`: did you mean NAME?`, of the keys that may stand there; empty when none is like it."""
    names = {name for schema in _at(key[:-1]) for name in schema.get("properties", {})}
    close = get_close_matches(str(key[-1]), sorted(names), n=1, cutoff=LIKENESS)
    return f": did you mean {close[0]}?" if close else ""


def _at(key: Key) -> list[Schema]:
    """Every schema that may describe what stands at `key`."""
    found = list(_choices(_schema()))
    for step in key:
        name = "items" if isinstance(step, int) else step
        inner = (each.get("properties", {}).get(step, each.get(str(name))) for each in found)
        found = [choice for each in inner if isinstance(each, dict) for choice in _choices(each)]
    return found


def _choices(schema: Schema) -> Iterator[Schema]:
    """It, without references and alternatives."""
    if "$ref" in schema:
        yield from _choices(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
        return
    yield schema
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _choices(each)
    for each in schema.get("prefixItems", ()):
        yield from _choices(each)


@cache
def _schema() -> Schema:
    return CellConfig.model_json_schema()
