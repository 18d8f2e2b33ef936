"""reference/reasons.md: why a verdict is not PASS and why a command was refused, with the remedy.

The lists are the code's; what a person does about each stands here, and a member without a row
here, or a row without a member, is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docs.generate.json_schema import load
from docs.generate.markdown import code, table
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.report.advice import REASONS

REFUSALS: Mapping[str, tuple[str, str]] = {
    "malformed": ("The command is none of the schema.", "The detail names the key."),
    "wrong_state": ("The command does not fit the state.", "The detail says what is allowed."),
    "recipe_failed": (
        "The recipe cannot be loaded or proven, or has expired; the one before serves on.",
        "The detail says what is wrong with it.",
    ),
    "recipe_mismatch": (
        "The recipe that the command names is not the one that serves.",
        "`prepare_recipe` first, or correct the name.",
    ),
    "duplicate_job": ("This `job_id` was used before.", "After a lost reply: `get_result`."),
    "unknown_job": ("No such job, or another one is open.", "The detail names the open one."),
    "not_decided": ("The job has no verdict yet.", "Send `stop_job`, or wait for it."),
    "unknown_result": ("No verdict has this `result_id`.", "`get_result` tells it."),
    "busy": ("A recipe is being prepared, a job being started.", "Ask again a little later."),
    "camera_lost": ("The cameras are not ready.", "The detail has the camera's own words."),
    "not_allowed": (
        "The peer may not ask for this.",
        "`may` of this peer in `security.peers` gives it no such right: another peer has to ask.",
    ),
    "journal_failed": ("The job could not be written down.", "Disk full or read-only."),
    "shutdown": ("The service is ending.", "Wait for its heartbeat."),
}


def reasons() -> str:
    """Every reason of a verdict, in the code's order."""
    return _table("reason", (each.value for each in Reason), REASONS)


def refusals() -> str:
    """Every code of a refused command."""
    listed = load("docs/messages.schema.json")["$defs"]["RefusalCode"]["enum"]
    return _table("code", iter(listed), REFUSALS)


def outcomes() -> str:
    """The closed list of outcomes."""
    return ", ".join(code(each.value) for each in Outcome) + "\n"


def _table(head: str, members: Iterator[str], told: Mapping[str, tuple[str, str]]) -> str:
    listed = list(members)
    differ = set(listed) ^ set(told)
    if differ:
        raise ValueError(f"docs/generate/reasons.py: write or remove the row of {sorted(differ)}")
    rows = ([code(each), *told[each]] for each in listed)
    return table((head, "what happened", "what to do"), rows)
