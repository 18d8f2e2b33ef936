"""ELF, as far as a library is looked into or written here: its processor, and a bare name.

After the System V ABI, chapters 4 and 5, for 64-bit little-endian processors.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

MACHINES = {62: "x86_64", 183: "aarch64", 3: "i386", 40: "arm"}  # e_machine of <elf.h>
HEADER_BYTES = 20  # up to and with e_machine
PAGE_BYTES = 65536  # the largest that either processor's kernels are built with

_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")
_SYMBOL_BYTES = 24
_SHARED_OBJECT = 3  # ET_DYN
_LOAD, _DYNAMIC, _GNU_STACK = 1, 2, 0x6474E551
_READ_WRITE = 6
_NULL, _NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME = 0, 1, 4, 5, 6, 10, 11, 14
_NO_SYMBOLS = bytes(_SYMBOL_BYTES)  # the one that every table begins with
_NO_HASHES = struct.pack("<4I", 1, 1, 0, 0)


def processor_of(header: bytes) -> str | None:
    """What a library is made for, from its first HEADER_BYTES; None where it is no ELF file."""
    if len(header) < HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return None
    number = int.from_bytes(header[18:20], "big" if header[5] == 2 else "little")
    return MACHINES.get(number, f"machine {number}")


def bare_library(name: str, processor: str, needed: Sequence[str] = ()) -> bytes:
    """A shared library that is called `name` and holds nothing: no code, no symbols.

    needed: libraries that it asks for. Raises ValueError for a processor without a layout here.
    """
    machine = {made_for: number for number, made_for in MACHINES.items()}.get(processor, 0)
    if processor not in ("x86_64", "aarch64"):
        raise ValueError(f"libraries are written for x86_64 and aarch64, not for {processor}")
    strings, offsets = _strings((name, *needed))
    segments_at = _FILE_HEADER.size
    entries_at = segments_at + 3 * _SEGMENT.size
    symbols_at = entries_at + (7 + len(needed)) * _ENTRY.size
    hashes_at = symbols_at + len(_NO_SYMBOLS)
    strings_at = hashes_at + len(_NO_HASHES)
    entries = [
        (_SONAME, offsets[0]),
        *((_NEEDED, offset) for offset in offsets[1:]),
        (_HASH, hashes_at),
        (_STRTAB, strings_at),
        (_SYMTAB, symbols_at),
        (_STRSZ, len(strings)),
        (_SYMENT, _SYMBOL_BYTES),
        (_NULL, 0),
    ]
    size = strings_at + len(strings)
    return b"".join(
        (
            _file_header(machine, segments_at),
            # writable, as older loaders note down in it where it lies
            _segment(_LOAD, 0, size, PAGE_BYTES),
            _segment(_DYNAMIC, entries_at, symbols_at - entries_at, 8),
            # without it the loader would make every stack executable
            _segment(_GNU_STACK, 0, 0, 16),
            *(_ENTRY.pack(tag, value) for tag, value in entries),
            _NO_SYMBOLS,
            _NO_HASHES,
            strings,
        )
    )


def _file_header(machine: int, segments_at: int) -> bytes:
    ident = b"\x7fELF" + bytes([2, 1, 1])  # 64 bits, little-endian, version 1
    sizes = (_FILE_HEADER.size, _SEGMENT.size, 3, 0, 0, 0)
    return _FILE_HEADER.pack(ident, _SHARED_OBJECT, machine, 1, 0, segments_at, 0, 0, *sizes)


def _segment(kind: int, at: int, size: int, align: int) -> bytes:
    return _SEGMENT.pack(kind, _READ_WRITE, at, at, at, size, size, align)


def _strings(names: Sequence[str]) -> tuple[bytes, list[int]]:
    """The string table, and where each name begins in it."""
    table, offsets = b"\0", []
    for name in names:
        offsets.append(len(table))
        table += name.encode() + b"\0"
    return table, offsets
