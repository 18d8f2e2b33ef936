"""What reference/files.md takes from the code: the manifest's keys, a recording's topics."""

from __future__ import annotations

from docs.generate import json_schema
from docs.generate.markdown import code, sentence, table
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.scans.job_topics import TOPICS, Topic

HEAD = ("key", "takes", "means")


def manifest() -> str:
    """Every key of manifest.json and of the sections in it."""
    schema = Manifest.model_json_schema()
    word_of = {name: f"[{name}](#{name.lower()})" for name in schema["$defs"]}
    said = [table(HEAD, json_schema.rows(schema, word_of))]
    for name, owner in schema["$defs"].items():
        about = " ".join(owner.get("description", "").split())
        said += [
            f"#### {name}",
            "",
            sentence(about),
            "",
            table(HEAD, json_schema.rows(owner, word_of)),
        ]
    return "\n".join(said)


def _carries(topic: Topic) -> str:
    if topic.schema is None:
        return "for viewers, as Protocol Buffers; lengths in m"
    return str(topic.schema.get("description", "").split("\n")[0])


def topics() -> str:
    """Every channel of a recorded job."""
    rows = (
        [
            code(each.name),
            code(each.schema_name),
            sentence(_carries(each)),
        ]
        for each in TOPICS
    )
    return table(("topic", "schema", "carries"), rows)
