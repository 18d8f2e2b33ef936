"""PNG pictures of an evaluation, for a README: the volumes of the best and worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxgate.export.evaluation.records import CaseRecord
from voxgate.export.evaluation.report.render import png, rendered
from voxgate.export.evaluation.run.evaluate import Evaluation
from voxgate.runtime.errors import ScanError

PER_PART = 2  # the lowest bad parts and the highest good ones


def write_pictures(folder: Path, evaluations: Sequence[Evaluation]) -> tuple[Path, ...]:
    """One PNG per chosen case of the first evaluation. Raises ScanError."""
    first = evaluations[0]
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for record in _chosen(first):
            arrays = first.store.arrays(record.name)
            image = rendered(arrays["ijk"], arrays["scores"], arrays["defect_ids"])
            path = folder / f"{record.name.replace('/', '-')}.png"
            path.write_bytes(png(image))
            written.append(path)
    except OSError as error:
        raise ScanError(f"{folder}: cannot be written: {error.strerror}") from error
    return tuple(written)


def _chosen(evaluation: Evaluation) -> list[CaseRecord]:
    chosen = []
    for figures in evaluation.types:
        own = [r for r in evaluation.records if r.part == figures.part and r.kind == "volume"]
        bad = sorted((r for r in own if r.anomalous), key=lambda r: r.score)
        good = sorted((r for r in own if not r.anomalous), key=lambda r: -r.score)
        chosen += [*bad[:1], *bad[1:][-(PER_PART - 1) :], *good[:PER_PART]]
    return chosen
