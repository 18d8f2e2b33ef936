"""A message of an MCAP file, decoded by Google's library from the description beside it."""

from __future__ import annotations

from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)


def decoded(schema: Any, content: bytes) -> Any:
    """The message, with the fields that the file itself describes."""
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(schema.data)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName(schema.name))()
    made.ParseFromString(content)
    return made
