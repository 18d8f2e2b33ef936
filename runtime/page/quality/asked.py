"""What a browser asks for, out of a query: bounded, or refused by one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.remote.history import Wanted

MOST_CHARACTERS = 128
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def wanted(query: Mapping[str, str]) -> Wanted:
    """Which jobs. Raises ServiceError for what can be no such search."""
    said = {name: value.strip() for name, value in query.items() if value.strip()}
    if any(len(value) > MOST_CHARACTERS for value in said.values()):
        raise ServiceError(f"a search has words of at most {MOST_CHARACTERS} characters")
    outcome = said.get("outcome")
    if outcome is not None and outcome not in Outcome.__members__:
        raise ServiceError(f"outcome: one of {', '.join(Outcome.__members__)}")
    return Wanted(
        job=said.get("job"),
        part=said.get("part"),
        recipe=said.get("recipe"),
        outcome=None if outcome is None else Outcome[outcome],
        begin_utc=_utc(said, "begin"),
        end_utc=_utc(said, "end"),
        before=said.get("before"),
    )


def is_identifier(text: str) -> bool:
    """Whether a job can be called so: nothing that leaves a folder."""
    return IDENTIFIER.fullmatch(text) is not None


def _utc(said: Mapping[str, str], name: str) -> str | None:
    """As the journal writes it, so that the texts compare as the times do."""
    if name not in said:
        return None
    try:
        found = datetime.fromisoformat(said[name])
    except ValueError as error:
        raise ServiceError(f"{name}: a time as 2026-01-31T14:05, in UTC") from error
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).isoformat()
