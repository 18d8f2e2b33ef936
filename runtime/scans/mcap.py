"""Messages of an MCAP file that nobody vouches for: every length is checked before it is believed.

The framing is read here, because the library's readers decompress what a chunk claims; the records
themselves are taken apart by the library. Raises ScanError (one line) for anything else than a
whole file.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Header, Message, Metadata, Schema

from voxgate.runtime.errors import ScanError

MAGIC = b"\x89MCAP0\r\n"
HEAD = struct.Struct("<BQ")
MAX_RECORD_BYTES = 128 << 20  # one picture of 64 MiB in base64, and what came before it
MAX_FILE_BYTES = 4 << 30  # decompressed
MAX_RECORDS = 8_000_000  # poses at 1 kHz for an hour, shown and stored
_BROKEN = (ValueError, OverflowError, LookupError, struct.error, McapError, zstandard.ZstdError)
"""What the libraries raise for damage; a length beyond 2^63 is OverflowError."""


@dataclass(slots=True)
class McapFile:
    """What a file holds, in the order of the file. `messages` are (topic, message)."""

    profile: str = ""
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    attachments: dict[str, bytes] = field(default_factory=dict)
    messages: list[tuple[str, Message]] = field(default_factory=list)


def read_mcap(path: Path, wanted: Callable[[str], bool]) -> McapFile:
    """Everything of the topics that are `wanted`. Raises ScanError: what is wrong with the file."""
    found, channels = McapFile(), dict[int, Channel]()
    try:
        with path.open("rb") as file:
            for record in _records(file, path.stat().st_size):
                _take(record, found, channels, wanted)
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except _BROKEN as error:
        words = " ".join(f"{error}".split()) or type(error).__name__
        raise ScanError(f"{path}: not a whole MCAP file: {words[:200]}") from error
    except (EOFError, RuntimeError) as error:  # what lz4 raises
        raise ScanError(f"{path}: not a whole MCAP file: a chunk is damaged") from error
    return found


def first_metadata(path: Path, name: str) -> dict[str, str] | None:
    """The metadata record of this name that stands before all messages; None without one.

    Raises ScanError: what is wrong with the file up to there.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            for opcode, content in _framed(file, path.stat().st_size - len(MAGIC)):
                if opcode in (Opcode.CHUNK, Opcode.DATA_END):
                    return None
                if opcode == Opcode.METADATA:
                    found = Metadata.read(_stream(content))
                    if found.name == name:
                        return dict(found.metadata)
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except _BROKEN as error:
        raise ScanError(f"{path}: not a whole MCAP file") from error
    return None


Record = Header | Schema | Channel | Message | Metadata | Attachment


def _take(
    record: Record, found: McapFile, channels: dict[int, Channel], wanted: Callable[[str], bool]
) -> None:
    if isinstance(record, Header):
        found.profile = record.profile
    elif isinstance(record, Metadata):
        found.metadata.setdefault(record.name, record.metadata)
    elif isinstance(record, Attachment):
        found.attachments.setdefault(record.name, record.data)
    elif isinstance(record, Channel):
        channels[record.id] = record
    elif isinstance(record, Message):
        if record.channel_id not in channels:
            raise ValueError(f"a message of channel {record.channel_id}, which is not there")
        topic = channels[record.channel_id].topic
        if wanted(topic):
            found.messages.append((topic, record))


def _records(file: IO[bytes], size: int) -> Iterator[Record]:
    """The records up to the end of the data, chunks taken apart."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin as one")
    left = _Budget(MAX_FILE_BYTES, MAX_RECORDS)
    for opcode, content in _framed(file, size - len(MAGIC)):
        left.spend(len(content))
        if opcode == Opcode.DATA_END:
            return
        if opcode == Opcode.CHUNK:
            inside = _decompressed(Chunk.read(_stream(content)), left)
            yield from _parsed(inside, left)
        elif opcode in _PARSERS or opcode == Opcode.MESSAGE:
            yield _one(opcode, content)
    raise ValueError("it ends in the middle, as after a crash")


def _parsed(inside: bytes, left: _Budget) -> Iterator[Record]:
    for opcode, content in _framed(io.BytesIO(inside), len(inside)):
        left.spend(0)
        if opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE):
            yield _one(opcode, content)


def _framed(file: IO[bytes], left: int) -> Iterator[tuple[int, bytes]]:
    """Opcode and content of each record; no length is believed that the file cannot hold."""
    while left >= HEAD.size:
        opcode, length = HEAD.unpack(file.read(HEAD.size))
        left -= HEAD.size
        if length > min(left, MAX_RECORD_BYTES):
            raise ValueError(f"a record of {length} bytes, where {left} are left")
        content = file.read(length)
        if len(content) != length:
            raise ValueError("it became shorter while it was read")
        left -= length
        yield opcode, content


def _one(opcode: int, content: bytes) -> Record:
    if opcode == Opcode.MESSAGE:
        message: Message = Message.read(_stream(content), len(content))
        return message
    return _PARSERS[opcode](_stream(content))


def _decompressed(chunk: Chunk, left: _Budget) -> bytes:
    size = chunk.uncompressed_size
    if size > MAX_RECORD_BYTES:
        raise ValueError(f"a chunk of {size} bytes")
    left.spend(size)
    if chunk.compression == "zstd":
        content = zstandard.ZstdDecompressor().stream_reader(chunk.data).read(size + 1)
    elif chunk.compression == "lz4":
        content = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size + 1)
    elif chunk.compression == "":
        content = chunk.data
    else:
        raise ValueError(f"compressed by {chunk.compression!r:.20}, only zstd and lz4 are read")
    if len(content) != size:
        raise ValueError("a chunk is not as long as it says")
    if chunk.uncompressed_crc and zlib.crc32(content) != chunk.uncompressed_crc:
        raise ValueError("a chunk has a wrong checksum")
    return bytes(content)


def _stream(content: bytes) -> ReadDataStream:
    return ReadDataStream(io.BytesIO(content))


@dataclass(slots=True)
class _Budget:
    """What a file may still cost."""

    bytes: int
    records: int

    def spend(self, size: int) -> None:
        self.bytes -= size
        self.records -= 1
        if self.bytes < 0 or self.records < 0:
            raise ValueError("it holds more than a recorded job can")


_PARSERS: dict[int, Callable[[ReadDataStream], Record]] = {
    Opcode.HEADER: Header.read,
    Opcode.SCHEMA: Schema.read,
    Opcode.CHANNEL: Channel.read,
    Opcode.METADATA: Metadata.read,
    Opcode.ATTACHMENT: Attachment.read,
}
