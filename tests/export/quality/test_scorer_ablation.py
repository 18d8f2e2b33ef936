"""Detectors that see half of the defects each: together they see all, and the table says so."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.export.quality.scorer import Table
from voxgate.export.quality.scorer_ablation import ALL, against, as_table, held_out
from voxgate.runtime.errors import EngineError

pytestmark = pytest.mark.slow

STATISTICS = ("max", "mean")


def _table(seed: int, count: int) -> Table:
    """Every second bad part has a defect that only `model` sees, the others only `look`."""
    rng = np.random.default_rng(seed)
    bad = np.arange(count) % 2 == 1
    rows = rng.random((count, 4)).astype(np.float32)
    rows[bad & (np.arange(count) % 4 == 1), 0] += 2
    rows[bad & (np.arange(count) % 4 == 3), 2] += 2
    names = tuple(f"{c}/rest/{s}" for c in ("model", "look") for s in STATISTICS)
    samples = tuple(f"part {number}" for number in range(count))
    return Table(("model", "look"), names, rows, bad, samples)


def test_all_detectors_together_beat_each_that_sees_half() -> None:
    rows = {row.detector: row for row in against(_table(0, 80), _table(1, 80), ["brf"])}
    assert list(rows) == ["model", "look", ALL]
    for name in ("model", "look"):
        assert max(rows[name].largest, *rows[name].forests.values()) < 0.9
    assert rows[ALL].largest == 1.0
    assert rows[ALL].forests["brf"] > 0.97
    assert as_table(tuple(rows.values()), "title").row_count == 3


@pytest.mark.nightly
def test_held_out_rows_are_not_the_ones_that_were_learnt() -> None:
    """Labels that nothing in the rows tells are learnt by heart, and guessed when held out."""
    table = _table(2, 60)
    noise = np.random.default_rng(3).random(table.rows.shape).astype(np.float32)
    guess = Table(table.channels, table.names, noise, table.bad, table.samples)
    assert all(0.2 < row.forests["brf"] < 0.8 for row in held_out(guess, 2, ["brf"]))


def test_too_few_rows_to_hold_some_out_are_refused() -> None:
    with pytest.raises(EngineError, match=r"need 5 good and 5 bad rows.*--generated"):
        held_out(_table(4, 8))
