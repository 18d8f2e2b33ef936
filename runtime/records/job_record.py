"""One job as it is opened, and by what it is inspected, which no crash must take away."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from voxgate.runtime.nouns import JobIdentity, Origin


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job as it was opened; origin None: of one that an older VoxGate opened."""

    job: JobIdentity
    backend: str
    origin: Origin | None = None


def record_of(
    job_id: str,
    part_id: str,
    recipe: str,
    configuration_id: str,
    is_simulated: int,
    backend: str,
    *,
    origin: Origin | None,
) -> JobRecord:
    """From a row of the journal."""
    job = JobIdentity(job_id, part_id, recipe, configuration_id, bool(is_simulated))
    return JobRecord(job, backend, origin)


def job_detail(clock: str, origin: Origin | None) -> str:
    """clock: whether somebody keeps it right."""
    told = {} if origin is None else {"origin": asdict(origin)}
    return json.dumps({"clock": clock, **told})


def origin_in(detail: str) -> Origin | None:
    """None: of an entry that tells none, as those of older versions."""
    try:
        told = json.loads(detail)["origin"]
        return Origin(**{**told, "plan_digests": tuple(told["plan_digests"])})
    except (ValueError, KeyError, TypeError):
        return None
