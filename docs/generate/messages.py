"""reference/messages.md: every message of the wire, from the published JSON Schema."""

from __future__ import annotations

import inspect

from docs.generate import json_schema
from docs.generate.json_schema import Schema
from docs.generate.markdown import code, table

KINDS = (
    "Commands: robot to box",
    "Replies: box to robot",
    "Published by the box",
    "Poses",
    "Parts of a message",
    "Closed lists",
)


def messages() -> str:
    """One section per kind of message, one subsection per message."""
    definitions = json_schema.load("docs/messages.schema.json")["$defs"]
    word_of = {
        name: f"[{_title(name, schema)}](#{_title(name, schema).lower().replace(' ', '-')})"
        for name, schema in definitions.items()
    }
    said = []
    for kind in KINDS:
        said += [f"## {kind}", ""]
        for name, schema in definitions.items():
            if _kind(name, schema) == kind:
                said.append(_section(name, schema, word_of))
    return "\n".join(said)


def _kind(name: str, schema: Schema) -> str:
    properties = schema.get("properties", {})
    if "enum" in schema:
        return "Closed lists"
    if "reply" in properties:
        return "Replies: box to robot"
    if "command" in properties:
        return "Commands: robot to box"
    if name == "PoseMessage":
        return "Poses"
    topic = schema.get("description", "").startswith("Topic")
    return "Published by the box" if topic else "Parts of a message"


def _title(name: str, schema: Schema) -> str:
    """What a robot's programmer looks for: the word on the wire."""
    properties = schema.get("properties", {})
    if "reply" in properties:
        return f"reply {properties['reply']['const']}"
    if "const" in properties.get("command", {}):
        return str(properties["command"]["const"])
    return name


def _section(name: str, schema: Schema, word_of: dict[str, str]) -> str:
    said = [f"### {_title(name, schema)}", "", inspect.cleandoc(schema.get("description", "")), ""]
    if "enum" in schema:
        return "\n".join([*said, ", ".join(code(each) for each in schema["enum"]), ""])
    return "\n".join([*said, table(("key", "takes", "means"), json_schema.rows(schema, word_of))])
