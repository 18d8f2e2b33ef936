"""The methods that the cell has, with their arguments as OPC 40100-1 names them."""

from __future__ import annotations

from asyncua import ua

from voxgate.runtime.opcua import structures as of
from voxgate.runtime.opcua.methods import Methods
from voxgate.runtime.opcua.tree import Tree

NUMBER, TEXT, FLAG, COUNT, ANY = (
    ua.VariantType.Int32,
    ua.VariantType.String,
    ua.VariantType.Boolean,
    ua.VariantType.UInt32,
    ua.VariantType.Variant,
)
CAUSE = (("Cause", NUMBER), ("CauseDescription", TEXT))
ERROR = (("Error", NUMBER),)
JOB = (
    ("MeasId", of.MEAS_ID),
    ("PartId", of.PART_ID),
    ("RecipeId", of.EXTERNAL_RECIPE),
    ("ProductId", of.PRODUCT_ID),
    ("Parameters", ANY),
)
RECIPE = (("ExternalId", of.EXTERNAL_RECIPE), ("InternalIdIn", of.INTERNAL_RECIPE))
PREPARED = (("InternalIdOut", of.INTERNAL_RECIPE), ("IsCompleted", FLAG), *ERROR)
WANTED = (("ResultId", of.RESULT_ID), ("Timeout", NUMBER))
FOUND = (("ResultHandle", COUNT), ("Result", of.RESULT), *ERROR)


async def add_methods(tree: Tree, methods: Methods) -> None:
    """Those of the standard, and under Cell those that it has no word for."""
    machine, automatic = "VisionStateMachine", "AutomaticModeStateMachine"
    for parent, name, call, takes, gives in (
        (machine, "Reset", methods.reset, CAUSE, ERROR),
        (machine, "Halt", methods.not_here, CAUSE, ERROR),
        (
            automatic,
            "StartSingleJob",
            methods.start_single_job,
            JOB,
            (("JobId", of.JOB_ID), *ERROR),
        ),
        (automatic, "StartContinuous", methods.not_here, JOB, (("JobId", of.JOB_ID), *ERROR)),
        (automatic, "Stop", methods.stop, CAUSE, ERROR),
        (automatic, "Abort", methods.abort, CAUSE, ERROR),
        ("RecipeManagement", "PrepareRecipe", methods.prepare_recipe, RECIPE, PREPARED),
        ("ResultManagement", "GetResultById", methods.result_by_id, WANTED, FOUND),
        ("Cell", "GetResultOfJob", methods.result_of_job, (("JobId", TEXT),), FOUND[1:]),
        ("Cell", "Acknowledge", methods.acknowledge, (("ResultId", TEXT),), ERROR),
        ("Cell", "Rollback", methods.rollback, (), ERROR),
    ):
        await tree.method(parent, name, call, takes, gives)
