"""The structures of OPC 40100-1 (clause 12) that results and methods are made of.

Node ids are those of the published companion specification, so that a client that brings its own
copy of it reads the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asyncua import Server, ua
from asyncua.common.manage_nodes import create_data_type, create_encoding
from asyncua.common.structures104 import new_struct_field

NAMESPACE = "http://opcfoundation.org/UA/MachineVision"
TEXT, FLAG, NUMBER = ua.VariantType.String, ua.VariantType.Boolean, ua.VariantType.Int32
LOCAL_TEXT, BYTES, ANY = (
    ua.VariantType.LocalizedText,
    ua.VariantType.ByteString,
    ua.VariantType.Variant,
)
UTC_TIME = ua.NodeId(ua.ObjectIds.UtcTime)
DURATION = ua.NodeId(ua.ObjectIds.Duration)


@dataclass(frozen=True, slots=True)
class Field:
    """kind: a built-in type, a node id of namespace 0, or the id of another structure here."""

    name: str
    kind: ua.VariantType | ua.NodeId | int
    optional: bool = False
    array: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """encoding: id of its binary form."""

    name: str
    id: int
    encoding: int
    fields: tuple[Field, ...]


ID = Field("Id", TEXT)
NAMED = (ID, Field("Description", LOCAL_TEXT, optional=True))
VERSIONED = (
    ID,
    Field("Version", TEXT, optional=True),
    Field("Hash", BYTES, optional=True),
    Field("HashAlgorithm", TEXT, optional=True),
    Field("Description", LOCAL_TEXT, optional=True),
)
RESULT_ID, JOB_ID, MEAS_ID, PART_ID, PRODUCT_ID = 3021, 3016, 3015, 3004, 3003
EXTERNAL_RECIPE, INTERNAL_RECIPE, CONFIGURATION_ID, TIMES, RESULT = 3002, 3013, 3008, 3005, 3006
STRUCTURES = (
    Structure("ResultIdDataType", RESULT_ID, 5274, (ID,)),
    Structure("JobIdDataType", JOB_ID, 5008, (ID,)),
    Structure("MeasIdDataType", MEAS_ID, 5006, NAMED),
    Structure("PartIdDataType", PART_ID, 5013, NAMED),
    Structure("ProductIdDataType", PRODUCT_ID, 5224, NAMED),
    Structure("RecipeIdExternalDataType", EXTERNAL_RECIPE, 5002, VERSIONED),
    Structure("RecipeIdInternalDataType", INTERNAL_RECIPE, 5268, VERSIONED),
    Structure("ConfigurationIdDataType", CONFIGURATION_ID, 5090, VERSIONED),
    Structure(
        "ProcessingTimesDataType",
        TIMES,
        5016,
        (
            Field("StartTime", UTC_TIME),
            Field("EndTime", UTC_TIME),
            Field("AcquisitionDuration", DURATION, optional=True),
            Field("ProcessingDuration", DURATION, optional=True),
        ),
    ),
    Structure(
        "ResultDataType",
        RESULT,
        5018,
        (
            Field("ResultId", RESULT_ID),
            Field("HasTransferableDataOnFile", FLAG, optional=True),
            Field("IsPartial", FLAG),
            Field("IsSimulated", FLAG, optional=True),
            Field("ResultState", NUMBER),
            Field("MeasId", MEAS_ID, optional=True),
            Field("PartId", PART_ID, optional=True),
            Field("ExternalRecipeId", EXTERNAL_RECIPE, optional=True),
            Field("InternalRecipeId", INTERNAL_RECIPE),
            Field("ProductId", PRODUCT_ID, optional=True),
            Field("ExternalConfigurationId", CONFIGURATION_ID, optional=True),
            Field("InternalConfigurationId", CONFIGURATION_ID),
            Field("JobId", JOB_ID),
            Field("CreationTime", UTC_TIME),
            Field("ProcessingTimes", TIMES, optional=True),
            Field("ResultContent", ANY, optional=True, array=True),
        ),
    ),
)
"""Each after those that it is made of."""


async def define(server: Server, vision: int) -> dict[str, Any]:
    """The data types in the address space; the classes of their values, by name.

    vision: index of NAMESPACE.
    """
    for structure in STRUCTURES:
        await _define(server, vision, structure)
    classes: dict[str, Any] = await server.load_data_type_definitions()
    return classes


async def _define(server: Server, vision: int, structure: Structure) -> None:
    base = server.nodes.base_structure_type
    name = ua.QualifiedName(structure.name, vision)
    node = await create_data_type(base, ua.NodeId(structure.id, vision), name)
    encoding = ua.NodeId(structure.encoding, vision)
    await create_encoding(node, encoding, ua.QualifiedName("Default Binary", 0))
    definition = ua.StructureDefinition()
    definition.BaseDataType = base.nodeid
    definition.DefaultEncodingId = encoding
    definition.StructureType = (
        ua.StructureType.StructureWithOptionalFields
        if any(field.optional for field in structure.fields)
        else ua.StructureType.Structure
    )
    definition.Fields = [_field(field, vision) for field in structure.fields]
    await node.write_data_type_definition(definition)


def _field(field: Field, vision: int) -> ua.StructureField:
    if isinstance(field.kind, int) and not isinstance(field.kind, ua.VariantType):
        return new_struct_field(
            field.name, ua.NodeId(field.kind, vision), field.array, field.optional
        )
    return new_struct_field(field.name, field.kind, field.array, field.optional)
