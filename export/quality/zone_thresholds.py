"""From part scores to thresholds, and back: everything in threshold.json follows from its scores.

Per zone: the conformal threshold when the parts suffice; else the tail law's, if the scores do not
speak against it and the user allows it, and then never below a good part that was seen. A target
that neither can meet is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxgate.export.quality.conformal import (
    conformal_threshold,
    least_rate,
    parts_needed,
    proven_rate,
    rate_with_confidence,
)
from voxgate.export.quality.parts_seen import PartScores
from voxgate.export.quality.tail import LEAST_SCORES, Law, fit_tail
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.zones import LEAST_THRESHOLD, MOST_THRESHOLD

CONFIDENCE = 0.95
ABOVE = 1e-3  # of the threshold: a part at the threshold is rejected, so a seen one stays below
DIGITS = 6  # of a stored score, so that what is derived again is derived from the same numbers


@dataclass(frozen=True, slots=True)
class Target:
    """What the user asks for. rate: of good parts rejected, over all zones together.

    extrapolate: whether a tail law may stand in for parts that are not there.
    """

    rate: float
    extrapolate: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise RecipeError(f"a false reject rate lies between 0 and 1, got {self.rate}")


@dataclass(frozen=True, slots=True)
class ZoneThreshold:
    """One zone's threshold, in units of the recipe's own scores, and what it rests on.

    rate: this zone's share of the target; proven: by the parts seen; proven_95: with confidence.
    """

    zone: str
    threshold: float
    source: str
    rate: float
    proven: float
    proven_95: float
    conformal: float | None
    laws: tuple[Law, ...]
    law_note: str | None


def derive(
    scores: Sequence[PartScores], zones: Sequence[str], target: Target
) -> tuple[ZoneThreshold, ...]:
    """One threshold per zone. Raises RecipeError, in one line, when the target cannot be met.

    The zones share the target alike (union bound), so that the part as a whole keeps it.
    """
    share = target.rate / len(zones)
    return tuple(_zone(zone, scores, share, target) for zone in zones)


def record(
    scores: Sequence[PartScores],
    found: Sequence[ZoneThreshold],
    target: Target,
    bad: Sequence[PartScores] = (),
) -> dict[str, Any]:
    """For threshold.json: what was measured, what follows, what it proves."""
    whole = [max(_relative(each, found).values()) for each in scores if each.independent]
    return {
        "threshold": 1.0,
        "source": "good parts",
        "target": asdict(target),
        "scores": [_stored(each) for each in scores],
        "bad_scores": [_stored(each) for each in bad],
        "zones": [_zone_record(each) for each in found],
        "parts": len(whole),
        "proven_false_rejects": proven_rate(whole, 1.0),
        "proven_false_rejects_95": rate_with_confidence(whole, 1.0, CONFIDENCE),
        "least_provable": least_rate(len(whole)),
        "parts_for_target": parts_needed(target.rate),
        "table": escape_table(scores, bad, found),
        "proves": f"of good parts like these {len(whole)}, the next one is rejected with at most "
        "the proven rate, averaged over all such sets of parts",
        "cannot_prove": "parts from another batch, machine or fixture; what a law says beyond the "
        "proven rate is a fit",
    }


def derive_again(stored: Mapping[str, Any]) -> tuple[ZoneThreshold, ...]:
    """The thresholds that the scores in a threshold.json lead to. Raises RecipeError."""
    try:
        scores = [PartScores(**each) for each in stored["scores"]]
        zones = [str(zone["zone"]) for zone in stored["zones"]]
        target = Target(**stored["target"])
    except (KeyError, TypeError) as error:
        raise RecipeError(
            f"this threshold.json was not made by `voxgate threshold`: {error}"
        ) from error
    return derive(scores, zones, target)


def escape_table(
    good: Sequence[PartScores], bad: Sequence[PartScores], found: Sequence[ZoneThreshold]
) -> list[dict[str, float | int]]:
    """Escapes (bad parts passed) and overkill (good parts failed) at every score that changes one.

    threshold: a factor on all the zones' thresholds; [] without bad parts.
    """
    if not bad:
        return []
    relative = {
        name: np.array([max(_relative(part, found).values()) for part in parts if part.independent])
        for name, parts in (("good", good), ("bad", bad))
    }
    steps = np.unique(np.concatenate([relative["good"], relative["bad"], [1.0]]))
    return [
        {
            "threshold": float(step),
            "escapes": int((relative["bad"] < step).sum()),
            "overkill": int((relative["good"] >= step).sum()),
            "bad": len(relative["bad"]),
            "good": len(relative["good"]),
        }
        for step in steps
    ]


def good_parts(count: int) -> str:
    """How many, and what they do."""
    return "1 good part proves" if count == 1 else f"{count} good parts prove"


def rounded(scores: PartScores) -> PartScores:
    """As it will be stored."""
    zones = {name: round(score, DIGITS) for name, score in scores.zones.items()}
    return PartScores(scores.scan, scores.repeat, scores.left_out, zones)


def _zone(zone: str, scores: Sequence[PartScores], rate: float, target: Target) -> ZoneThreshold:
    own = [part.zones[zone] for part in scores if part.independent]
    everything = [part.zones[zone] for part in scores]
    laws, note = _laws(everything)
    conformal = conformal_threshold(own, rate)
    if conformal is not None:
        raw, source = conformal, "conformal"
    else:
        raw, source = _extrapolated(zone, own, laws, note, rate, target), "tail law"
        raw = max(raw, *own)
    threshold = float(np.clip(raw * (1 + ABOVE), LEAST_THRESHOLD, None))
    if threshold > MOST_THRESHOLD:
        raise RecipeError(
            f"zone {zone}: the threshold would be {threshold:.0f}: is it a good part?"
        )
    return ZoneThreshold(
        zone=zone,
        threshold=round(threshold, DIGITS),
        source=source,
        rate=rate,
        proven=proven_rate(own, threshold),
        proven_95=rate_with_confidence(own, threshold, CONFIDENCE),
        conformal=conformal,
        laws=laws,
        law_note=note,
    )


def _laws(scores: Sequence[float]) -> tuple[tuple[Law, ...], str | None]:
    try:
        return fit_tail(scores), None
    except ValueError as error:
        return (), str(error)


def _extrapolated(
    zone: str,
    own: Sequence[float],
    laws: Sequence[Law],
    note: str | None,
    rate: float,
    target: Target,
) -> float:
    short = (
        f"zone {zone}: {good_parts(len(own))} at best {least_rate(len(own)):.1%} false "
        f"rejects, {rate:.2%} needs {parts_needed(rate)}"
    )
    if not target.extrapolate:
        raise RecipeError(f"{short}: inspect more good parts, ask for less, or add --extrapolate")
    if not laws and max(own) == 0:
        return 0.0  # nothing was ever scored here: the least threshold it is
    believed = [law for law in laws if law.believed]
    if not believed:
        why = note or f"no law fits them (p = {max(law.p_value for law in laws):.3f})"
        raise RecipeError(
            f"{short}, and their tail cannot be extrapolated: {why}; a tail needs {LEAST_SCORES} "
            "scores: add good scans, or --again to see each of them again"
        )
    return believed[0].quantile(rate)


def _relative(part: PartScores, found: Sequence[ZoneThreshold]) -> dict[str, float]:
    return {each.zone: part.zones[each.zone] / each.threshold for each in found}


def _stored(scores: PartScores) -> dict[str, Any]:
    return asdict(rounded(scores))


def _zone_record(zone: ZoneThreshold) -> dict[str, Any]:
    found = asdict(zone)
    for law, stored in zip(zone.laws, found["laws"], strict=True):
        stored["believed"] = law.believed
        stored["at_rate"] = law.quantile(zone.rate)
    return found
