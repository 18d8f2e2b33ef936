"""reference/configuration.md: every key of a cell's YAML, from the schema that checks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.generate import json_schema
from docs.generate.json_schema import Schema, alternatives, named
from docs.generate.markdown import sentence, table

HEAD = ("key", "takes", "means")


def configuration() -> str:
    """The top level, then a section per key that has keys of its own."""
    schema = json_schema.load("configs/voxgate.schema.json")
    places: dict[str, str] = {}
    for name, place in _places(schema, schema["$defs"], ""):
        places.setdefault(name, place)  # what stands in two places has its section at the first
    word_of = {name: f"[{place}](#{_anchor(place)})" for name, place in places.items()}
    said = ["## The file", "", table(HEAD, json_schema.rows(schema, word_of))]
    for name, place in places.items():
        owner = schema["$defs"][name]
        said += [f"## {place}", "", sentence(owner.get("description", "")), ""]
        said.append(table(HEAD, json_schema.rows(owner, word_of)))
    return "\n".join(said)


def _places(owner: Schema, definitions: dict[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """Definition and where it stands, such as ("Ptp", "cameras.setup.ptp")."""
    for key, schema in owner.get("properties", {}).items():
        for name in _refers_to(schema):
            source = definitions[name]["properties"].get("source", {}).get("const")
            place = f"{above}{key}" + (f" (source: {source})" if source else "")
            yield name, place
            yield from _places(definitions[name], definitions, f"{above}{key}.")


def _refers_to(schema: Schema) -> Iterator[str]:
    for each in alternatives(schema):
        inner = alternatives(each["items"]) if "items" in each else [each]
        yield from (name for one in inner if (name := named(one)) is not None)


def _anchor(place: str) -> str:
    kept = "".join(each for each in place.lower() if each.isalnum() or each in " _-")
    return kept.strip().replace(" ", "-")
