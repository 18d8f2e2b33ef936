"""The C table and the XML of the features; `python -m voxgate.sim.gentl.generate` writes both.

Node classes and element names are those of the GenApi schema 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from voxgate.sim.gentl.features.codes import (
    CHUNK_ID,
    CHUNKS,
    COMPONENTS,
    EVENT_ID,
    EVENTS,
    PIXEL_FORMATS,
)
from voxgate.sim.gentl.features.feature import CHOICES, WORD_BYTES, Feature, Kind
from voxgate.sim.gentl.features.table import FEATURES, HIDDEN, REGISTER_BYTES

PRODUCER = Path(__file__).parent / "producer"
NOTICE = "made by python -m voxgate.sim.gentl.generate from features/"
_C_KINDS = {
    Kind.INTEGER: "KIND_INTEGER",
    Kind.FLOAT: "KIND_FLOAT",
    Kind.BOOLEAN: "KIND_BOOLEAN",
    Kind.ENUMERATION: "KIND_ENUMERATION",
    Kind.COMMAND: "KIND_COMMAND",
    Kind.TEXT: "KIND_TEXT",
}
CHUNK_FEATURES = {
    "Timestamp": ("ChunkTimestamp", Kind.INTEGER, "Start of exposure, camera clock", "ns"),
    "FrameID": ("ChunkFrameID", Kind.INTEGER, "Number of the frame", ""),
    "ExposureTime": ("ChunkExposureTime", Kind.FLOAT, "Of this frame", "us"),
}


def files() -> dict[Path, str]:
    """Every generated file and what must stand in it."""
    return {
        PRODUCER / "registers.h": header(),
        PRODUCER / "registers_table.h": table(),
        PRODUCER / "camera.xml": camera_xml(),
    }


def header() -> str:
    """Addresses and numbers for the producer."""
    return "\n".join(_header_lines()) + "\n"


def table() -> str:
    """The rows that guard the registers, for registers.c."""
    return "\n".join(_table_lines()) + "\n"


def _header_lines() -> Iterator[str]:
    yield f"/* {NOTICE} */"
    yield "#ifndef VG_REGISTERS_H\n#define VG_REGISTERS_H\n"
    yield f"#define REGISTER_BYTES {REGISTER_BYTES}\n#define CHOICES {CHOICES}\n"
    for prefix, first, names in (
        ("COMPONENT", 0, COMPONENTS),
        ("CHUNK", CHUNK_ID, CHUNKS),
        ("EVENT", EVENT_ID, EVENTS),
        ("FORMAT", 0, PIXEL_FORMATS),
    ):
        for name, value in names.items():
            yield f"#define {prefix}_{name} {first + value:#x}"
    yield "\nenum {"
    for feature in FEATURES:
        yield f"    REG_{feature.name} = {feature.address:#06x},"
    yield "};\n\n#endif"


def _table_lines() -> Iterator[str]:
    yield f"/* {NOTICE} */"
    for feature in FEATURES:
        if feature.entries:
            values = ", ".join(str(entry.value) for entry in feature.entries)
            yield f"static const int64_t words_{feature.name}[] = {{{values}}};"
    for feature in FEATURES:
        if feature.values:
            values = ", ".join(str(value) for value in feature.values)
            yield f"static const int64_t values_{feature.name}[] = {{{values}}};"
    yield "static const register_row register_table[] = {"
    for feature in FEATURES:
        yield f"    {_row(feature)},"
    yield "};"


def _row(feature: Feature) -> str:
    words = f"words_{feature.name}, {len(feature.entries)}" if feature.entries else "NULL, 0"
    values = f"values_{feature.name}" if feature.values else "NULL"
    low = feature.low if isinstance(feature.low, int | float) else -(2**62)
    high = feature.high if isinstance(feature.high, int | float) else 2**62
    default = 0 if isinstance(feature.default, str) else feature.default
    flags = [
        "ACCESS_" + feature.access,
        *(["FLAG_LOCKED"] if feature.locked else []),
        *(["FLAG_STORED"] if feature.stored else []),
    ]
    return (
        f'{{"{feature.name}", {feature.address:#06x}, {feature.count}, {_C_KINDS[feature.kind]}, '
        f"{' | '.join(flags)}, {low}, {high}, {feature.step}, {default}, {words}, {values}}}"
    )


def camera_xml() -> str:
    """The register description of the remote device."""
    return "\n".join(_camera_lines()) + "\n"


def _camera_lines() -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield f"<!-- {NOTICE} -->"
    yield (
        '<RegisterDescription ModelName="VirtualCamera" VendorName="VoxGate" '
        'ToolTip="Virtual camera" StandardNameSpace="None" SchemaMajorVersion="1" '
        'SchemaMinorVersion="1" SchemaSubMinorVersion="0" MajorVersion="1" MinorVersion="0" '
        'SubMinorVersion="0" ProductGuid="6F0D4C3E-54B3-4C8E-9D3E-7C0B5B6A1E01" '
        'VersionGuid="6F0D4C3E-54B3-4C8E-9D3E-7C0B5B6A1E02" '
        'xmlns="http://www.genicam.org/GenApi/Version_1_1" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://www.genicam.org/GenApi/Version_1_1 '
        'http://www.genicam.org/GenApi/GenApiSchema_Version_1_1.xsd">'
    )
    yield from _categories()
    for feature in FEATURES:
        yield from _feature(feature)
    for name, number in COMPONENTS.items():
        yield _is_chosen(name, f"CHOSEN={number}")
    of_3d = (COMPONENTS["Range"], COMPONENTS["Disparity"])
    yield _is_chosen("3d", "||".join(f"(CHOSEN={number})" for number in of_3d))
    for name, number in CHUNKS.items():
        yield from _chunk(name, CHUNK_ID + number)
    for name, number in EVENTS.items():
        yield from _event(name, EVENT_ID + number)
    yield '<Port Name="Device" NameSpace="Standard"/>'
    yield "</RegisterDescription>"


def _is_chosen(name: str, formula: str) -> str:
    return (
        f'<IntSwissKnife Name="ComponentIs{name}"><pVariable Name="CHOSEN">'
        f"ComponentSelectorReg</pVariable><Formula>{formula}</Formula></IntSwissKnife>"
    )


def _categories() -> Iterator[str]:
    members: dict[str, list[str]] = {}
    for feature in FEATURES:
        if feature.name not in HIDDEN:
            members.setdefault(feature.category, []).append(feature.name)
    members["ChunkDataControl"] += [name for name, *_ in CHUNK_FEATURES.values()]
    for name in EVENTS:
        members["EventControl"] += [f"Event{name}", f"Event{name}Timestamp", f"Event{name}FrameID"]
    yield from _category("Root", list(members))
    for name, names in members.items():
        yield from _category(name, names)


def _category(name: str, members: list[str]) -> Iterator[str]:
    yield f'<Category Name="{name}" NameSpace="Standard">'
    yield from (f"<pFeature>{member}</pFeature>" for member in members)
    yield "</Category>"


def _feature(feature: Feature) -> Iterator[str]:
    if feature.kind is Kind.TEXT:
        yield (
            f'<StringReg Name="{feature.name}" NameSpace="Standard">{_head(feature)}'
            f"<Address>{feature.address:#x}</Address><Length>{feature.length}</Length>"
            f"<AccessMode>{feature.access}</AccessMode><pPort>Device</pPort>"
            "<Cachable>NoCache</Cachable></StringReg>"
        )
        return
    tag = feature.kind.value
    yield f'<{tag} Name="{feature.name}" NameSpace="Standard">{_head(feature)}'
    for entry in feature.entries:
        available = f"<pIsAvailable>{entry.available}</pIsAvailable>" if entry.available else ""
        yield (
            f'<EnumEntry Name="{entry.name}" NameSpace="Standard">{available}'
            f"<Value>{entry.value}</Value></EnumEntry>"
        )
    yield f"<pValue>{feature.name}Reg</pValue>{_tail(feature)}</{tag}>"
    yield _register(feature)


def _head(feature: Feature) -> str:
    text = f"<ToolTip>{escape(feature.about)}</ToolTip><Visibility>Beginner</Visibility>"
    if feature.available:
        text += f"<pIsAvailable>{feature.available}</pIsAvailable>"
    if feature.locked:
        text += "<pIsLocked>TLParamsLockedReg</pIsLocked>"
    return text


def _tail(feature: Feature) -> str:
    if feature.kind is Kind.COMMAND:
        return "<CommandValue>1</CommandValue>"
    if feature.kind is Kind.BOOLEAN:
        return "<OnValue>1</OnValue><OffValue>0</OffValue>"
    text = ""
    if feature.kind in (Kind.INTEGER, Kind.FLOAT):
        text += _limit("Min", feature.low) + _limit("Max", feature.high)
        if feature.kind is Kind.INTEGER and feature.step != 1:
            text += f"<Inc>{feature.step}</Inc>"
        if feature.unit:
            text += f"<Unit>{feature.unit}</Unit>"
    selected = [other.name for other in FEATURES if other.selector == feature.name]
    return text + "".join(f"<pSelected>{name}</pSelected>" for name in selected)


def _limit(end: str, limit: float | int | str | None) -> str:
    if limit is None:
        return ""
    if isinstance(limit, str):
        return f"<p{end}>{limit}</p{end}>"
    return f"<{end}>{limit}</{end}>"


def _register(feature: Feature) -> str:
    tag = "FloatReg" if feature.kind is Kind.FLOAT else "IntReg"
    index = (
        f'<pIndex Offset="{WORD_BYTES}">{feature.selector}Reg</pIndex>' if feature.selector else ""
    )
    sign = "" if feature.kind is Kind.FLOAT else "<Sign>Signed</Sign>"
    return (
        f'<{tag} Name="{feature.name}Reg"><Address>{feature.address:#x}</Address>{index}'
        f"<Length>{WORD_BYTES}</Length><AccessMode>{feature.access}</AccessMode>"
        f"<pPort>Device</pPort><Cachable>NoCache</Cachable>{sign}"
        f"<Endianess>LittleEndian</Endianess></{tag}>"
    )


def _chunk(name: str, number: int) -> Iterator[str]:
    feature, kind, about, unit = CHUNK_FEATURES[name]
    yield from _from_port(feature, kind, about, unit, f"{feature}Port", 0)
    yield f'<Port Name="{feature}Port"><ChunkID>{number:x}</ChunkID></Port>'


def _event(name: str, number: int) -> Iterator[str]:
    yield (
        f'<Integer Name="Event{name}" NameSpace="Standard"><ToolTip>Id of the event</ToolTip>'
        f"<Visibility>Beginner</Visibility><Value>{number}</Value></Integer>"
    )
    port = f"Event{name}Port"
    yield from _from_port(
        f"Event{name}Timestamp", Kind.INTEGER, "When, camera clock", "ns", port, 0
    )
    yield from _from_port(
        f"Event{name}FrameID", Kind.INTEGER, "Of which frame", "", port, WORD_BYTES
    )
    yield f'<Port Name="{port}"><EventID>{number:x}</EventID></Port>'


def _from_port(
    name: str, kind: Kind, about: str, unit: str, port: str, address: int
) -> Iterator[str]:
    """A feature that lives in a buffer's chunk or an event's data."""
    register, sign = ("FloatReg", "") if kind is Kind.FLOAT else ("IntReg", "<Sign>Signed</Sign>")
    units = f"<Unit>{unit}</Unit>" if unit else ""
    yield (
        f'<{kind.value} Name="{name}" NameSpace="Standard"><ToolTip>{about}</ToolTip>'
        f"<Visibility>Beginner</Visibility><pValue>{name}Reg</pValue>{units}</{kind.value}>"
    )
    yield (
        f'<{register} Name="{name}Reg"><Address>{address}</Address><Length>{WORD_BYTES}</Length>'
        f"<AccessMode>RO</AccessMode><pPort>{port}</pPort><Cachable>NoCache</Cachable>{sign}"
        f"<Endianess>LittleEndian</Endianess></{register}>"
    )


def main() -> None:
    """Write the generated files beside this one."""
    for file, content in files().items():
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
