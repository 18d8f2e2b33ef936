"""A verdict as OPC 40100-1 has results (clauses 12.17 and 12.19)."""

from __future__ import annotations

from enum import IntEnum
from math import nan
from typing import Any

from asyncua import ua

from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.verdict import VerdictMessage

GIVEN_UP = frozenset({Reason.ABORTED, Reason.CRASHED})


class ResultState(IntEnum):
    """Says how the inspection went, not how good the part is."""

    COMPLETED = 1
    ABORTED = 3
    FAILED = 4


def result_state(verdict: VerdictMessage) -> ResultState:
    """Completed only where the part was judged."""
    if verdict.outcome is not Outcome.INDETERMINATE:
        return ResultState.COMPLETED
    given_up = any(note.reason in GIVEN_UP for note in verdict.reasons)
    return ResultState.ABORTED if given_up else ResultState.FAILED


def result_of(verdict: VerdictMessage, classes: dict[str, Any]) -> Any:
    """A ResultDataType; ResultContent: outcome, score (NaN: none), the verdict as on the wire."""
    return classes["ResultDataType"](
        ResultId=classes["ResultIdDataType"](Id=verdict.result_id),
        HasTransferableDataOnFile=False,
        IsPartial=verdict.is_partial,
        IsSimulated=verdict.is_simulated,
        ResultState=int(result_state(verdict)),
        PartId=classes["PartIdDataType"](Id=verdict.part_id),
        InternalRecipeId=_recipe(verdict, classes),
        InternalConfigurationId=classes["ConfigurationIdDataType"](Id=verdict.configuration_id),
        JobId=classes["JobIdDataType"](Id=verdict.job_id),
        CreationTime=verdict.created_utc,
        ResultContent=[
            ua.Variant(verdict.outcome.value, ua.VariantType.String),
            ua.Variant(nan if verdict.score is None else verdict.score, ua.VariantType.Double),
            ua.Variant(verdict.to_json().decode(), ua.VariantType.String),
        ],
    )


def _recipe(verdict: VerdictMessage, classes: dict[str, Any]) -> Any:
    name, _, version = verdict.recipe.partition("/")
    recipe = classes["RecipeIdInternalDataType"](Id=name, Version=version or None)
    if verdict.origin is not None and verdict.origin.recipe_digest:
        recipe.Hash = bytes.fromhex(verdict.origin.recipe_digest)
        recipe.HashAlgorithm = "SHA-256"
    return recipe
