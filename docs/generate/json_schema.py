"""A JSON Schema in the words of a page: what a key takes, in which range, what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.generate.markdown import code, sentence

Schema = Mapping[str, Any]
ROOT = Path(__file__).resolve().parents[2]
WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}


def load(path: str) -> Schema:
    """A schema of the repository, by its path from the root."""
    loaded: Schema = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return loaded


def alternatives(schema: Schema) -> list[Schema]:
    """What it may be, null left out."""
    listed = schema.get("anyOf") or schema.get("oneOf")
    if not listed:
        return [] if schema.get("type") == "null" else [schema]
    return [one for each in listed for one in alternatives(each)]


def nullable(schema: Schema) -> bool:
    """Whether null stands for: none."""
    return any(each.get("type") == "null" for each in schema.get("anyOf", ()))


def named(schema: Schema) -> str | None:
    """The definition that a schema refers to."""
    reference = schema.get("$ref")
    return None if reference is None else str(reference).rsplit("/", 1)[-1]


def takes(schema: Schema, word_of: Mapping[str, str]) -> str:
    """Such as `integer, 1 to 64`; word_of: what a definition is called on the page."""
    said = [_one(each, word_of) for each in alternatives(schema)]
    return " or ".join(dict.fromkeys([*said, *(["null"] if nullable(schema) else [])]))


def rows(owner: Schema, word_of: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Key, what it takes, what it means, for every property."""
    required = owner.get("required", ())
    for key, schema in owner.get("properties", {}).items():
        yield code(key), takes(schema, word_of), _means(schema, key in required)


def _means(schema: Schema, required: bool) -> str:
    said = [sentence(schema.get("description", ""))]
    if "const" not in schema:
        said.append("**Must be given.**" if required else _default(schema))
    return " ".join(filter(None, said))


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or isinstance(value, (dict, list)):
        return ""
    return f"Default: {code(json.dumps(value).strip(chr(34)))}."


def _one(schema: Schema, word_of: Mapping[str, str]) -> str:
    name = named(schema)
    if name is not None:
        return word_of.get(name, name)
    if "const" in schema:
        return code(json.dumps(schema["const"]).strip('"'))
    if "enum" in schema:
        return " or ".join(code(str(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        return _array(schema, word_of)
    if schema.get("type") == "object":
        return "object"
    word = {"path": "path", "date-time": "time"}.get(schema.get("format", ""))
    return (word or WORDS[schema["type"]]) + _range(schema)


def _array(schema: Schema, word_of: Mapping[str, str]) -> str:
    inner = schema.get("items") or (schema.get("prefixItems") or [{"type": "string"}])[0]
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low is not None and low == high:
        return f"{low} of: {takes(inner, word_of)}"
    return f"list of: {takes(inner, word_of)}"


def _range(schema: Schema) -> str:
    low = _bound(schema, "minimum", "exclusiveMinimum", "above ")
    high = _bound(schema, "maximum", "exclusiveMaximum", "below ")
    unit = f" {schema['unit']}" if "unit" in schema else ""
    if low is None and high is None:
        return f", {unit.strip()}" if unit else ""
    if high is None:
        return f", {low or ''} or more{unit}" if "above" not in str(low) else f", {low}{unit}"
    return f", {low} to {high}{unit}" if low is not None else f", up to {high}{unit}"


def _bound(schema: Schema, closed: str, opened: str, word: str) -> str | None:
    if closed in schema:
        return f"{schema[closed]:g}"
    return f"{word}{schema[opened]:g}" if opened in schema else None
